# How every C file is compiled. `hypura_settings` carries it to all targets.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF) # -std=c11: gcc contracts a*b+c under gnu11
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# No build type defines NDEBUG: assertions stay on (kernels may turn theirs off).
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g")

option(HYPURA_WERROR "A warning is an error" OFF)
option(HYPURA_COVERAGE "Count executed lines (gcov)" OFF)
option(HYPURA_ANALYZE "Run gcc's static analyzer" OFF)
option(HYPURA_FUZZ "Build the fuzz targets (clang, libFuzzer)" OFF)
set(HYPURA_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=")

add_library(hypura_settings INTERFACE)
target_include_directories(hypura_settings INTERFACE
  "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/include")
target_compile_definitions(hypura_settings INTERFACE
  _POSIX_C_SOURCE=200809L HYPURA_VERSION="${PROJECT_VERSION}")
target_compile_options(hypura_settings INTERFACE
  -fvisibility=hidden -fstack-protector-strong -ffp-contract=off
  "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
target_link_options(hypura_settings INTERFACE -Wl,--as-needed)

target_compile_options(hypura_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wdouble-promotion
  -Wfloat-conversion -Wformat=2 -Wundef -Wvla -Walloca -Wcast-qual -Wcast-align
  -Wpointer-arith -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes
  -Wold-style-definition -Wredundant-decls -Wswitch-enum -Wimplicit-fallthrough
  -Wnull-dereference -Wdate-time -Wframe-larger-than=16384)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(hypura_settings INTERFACE
    -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wcast-align=strict
    -Wformat-signedness -Wtrampolines)
else()
  target_compile_options(hypura_settings INTERFACE
    -Wcomma -Wassign-enum -Wconditional-uninitialized -Wloop-analysis
    -Wmissing-variable-declarations -Wunreachable-code)
endif()
if(HYPURA_WERROR)
  target_compile_options(hypura_settings INTERFACE -Werror)
endif()

if(HYPURA_SANITIZE)
  # Without warnings: gcc warns of its own checks, and of what it proves harmless only where
  # no check stands in between. Warnings are the business of the other builds.
  target_compile_options(hypura_settings INTERFACE
    "-fsanitize=${HYPURA_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer -w)
  target_link_options(hypura_settings INTERFACE "-fsanitize=${HYPURA_SANITIZE}")
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(hypura_settings INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(HYPURA_COVERAGE)
  target_compile_options(hypura_settings INTERFACE --coverage)
  target_link_options(hypura_settings INTERFACE --coverage)
endif()
if(HYPURA_ANALYZE)
  target_compile_options(hypura_settings INTERFACE
    -fanalyzer -Wno-unused-value -include "${CMAKE_SOURCE_DIR}/cmake/analyzer.h")
endif()
