# Proves that each header compiles alone, and twice: one generated file per header, in an
# object library that nothing links. The only place that globs: a header that no list
# names must be found too.

file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/src"
  "${CMAKE_SOURCE_DIR}/src/*.h")
set(sources)
foreach(header "hypura/hypura.h" ${headers})
  string(REPLACE "/" "_" name "${header}")
  set(source "${CMAKE_BINARY_DIR}/headers/${name}.c")
  file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"${header}\"\n#include \"${header}\"\n")
  if(header MATCHES "^kernels/avx2/")
    set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c")
  elseif(header MATCHES "^kernels/(avx512|amx)/")
    set_source_files_properties("${source}" PROPERTIES
      COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mavx512vnni;-mfma;-mf16c")
  elseif(header MATCHES "^kernels/(neon|dotprod|i8mm)/" AND NOT CMAKE_SYSTEM_PROCESSOR MATCHES
      "aarch64|arm64")
    continue()
  endif()
  if(header MATCHES "^kernels/(avx2|avx512|amx)/" AND NOT CMAKE_SYSTEM_PROCESSOR MATCHES
      "x86_64|AMD64")
    continue()
  endif()
  list(APPEND sources "${source}")
endforeach()

add_library(hypura_headers OBJECT ${sources})
target_link_libraries(hypura_headers PRIVATE hypura_settings)
# A header's static functions are unused here, and one that is only macros is empty.
target_compile_options(hypura_headers PRIVATE -Wno-unused-function -Wno-unused-const-variable
  -Wno-pedantic)
