# The two words that the folders' own CMakeLists.txt are written in.

# hypura_layer(<folder> SOURCES a.c b.c NEEDS base sys)
# The static library hypura_<folder>. NEEDS are folders that it includes from.
function(hypura_layer folder)
  cmake_parse_arguments(PARSE_ARGV 1 layer "" "" "SOURCES;NEEDS")
  if(layer_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "hypura_layer(${folder}): what is '${layer_UNPARSED_ARGUMENTS}'?")
  endif()
  add_library(hypura_${folder} STATIC ${layer_SOURCES})
  list(TRANSFORM layer_NEEDS PREPEND hypura_)
  target_link_libraries(hypura_${folder} PUBLIC hypura_settings ${layer_NEEDS})
  if(folder STREQUAL "sys")
    target_compile_definitions(hypura_sys PRIVATE _GNU_SOURCE=)
  endif()
  if(HYPURA_ANALYZE AND folder STREQUAL "kernels")
    # The analyzer does not follow loops that fill arrays of vectors.
    target_compile_options(hypura_kernels PRIVATE -Wno-analyzer-use-of-uninitialized-value)
  endif()
endfunction()

# hypura_test(<name> SOURCE test_x.c NEEDS <folders> LABELS fast)
# One executable, registered with ctest. Exit status 77 means skipped, with its reason.
function(hypura_test name)
  cmake_parse_arguments(PARSE_ARGV 1 test "" "SOURCE" "NEEDS;LABELS")
  if(test_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "hypura_test(${name}): what is '${test_UNPARSED_ARGUMENTS}'?")
  endif()
  if(NOT BUILD_TESTING)
    return()
  endif()
  add_executable(${name} ${test_SOURCE})
  list(TRANSFORM test_NEEDS PREPEND hypura_)
  target_link_libraries(${name} PRIVATE hypura_settings ${test_NEEDS} hypura_base)
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE=
    HYPURA_SOURCE_ROOT="${CMAKE_SOURCE_DIR}"
    HYPURA_PROGRAM="${CMAKE_BINARY_DIR}/hypura")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${test_LABELS}" SKIP_RETURN_CODE 77)
endfunction()
