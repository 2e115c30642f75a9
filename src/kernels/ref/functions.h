/* The elementwise functions of canonical arithmetic (section 7), one value at a time. */
#ifndef HYPURA_KERNELS_REF_FUNCTIONS_H
#define HYPURA_KERNELS_REF_FUNCTIONS_H

#include "kernels/kernels.h"

/* canonical_expf is in kernels.h. */
float canonical_sigmoidf(float x);
float canonical_siluf(float x);
float canonical_gelu_tanhf(float x);
float canonical_gelu_quickf(float x);
float canonical_gelu_erff(float x);
float canonical_tanhf(float x);
float canonical_erff(float x);

/* cap * tanh(x / cap); cap is not 0. */
float canonical_softcapf(float x, float cap);

/* The function that an Activation names. */
float canonical_activationf(Activation f, float x);

#endif
