# The three libraries (docs/adr/0002). Each is used when found and can be left out;
# the code asks `#if HYPURA_WITH_URING` and so on, always defined as 0 or 1.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
target_link_libraries(hypura_settings INTERFACE Threads::Threads m)

# A static program takes static libraries: cmake -DCMAKE_EXE_LINKER_FLAGS=-static
if(CMAKE_EXE_LINKER_FLAGS MATCHES "(^| )-static( |$)")
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
endif()

# hypura_library(<OPTION SUFFIX> <header> <library>)
function(hypura_library name header library)
  find_path(${name}_INCLUDE "${header}")
  find_library(${name}_LIBRARY "${library}")
  mark_as_advanced(${name}_INCLUDE ${name}_LIBRARY)
  set(found OFF)
  if(${name}_INCLUDE AND ${name}_LIBRARY AND NOT CMAKE_CROSSCOMPILING)
    set(found ON)
  endif()
  option(HYPURA_WITH_${name} "Use ${library}" ${found})

  if(HYPURA_WITH_${name})
    if(NOT ${name}_INCLUDE OR NOT ${name}_LIBRARY)
      message(FATAL_ERROR "HYPURA_WITH_${name} is on, but ${header} or lib${library} is missing")
    endif()
    target_include_directories(hypura_settings SYSTEM INTERFACE "${${name}_INCLUDE}")
    target_link_libraries(hypura_settings INTERFACE "${${name}_LIBRARY}")
    target_compile_definitions(hypura_settings INTERFACE HYPURA_WITH_${name}=1)
  else()
    target_compile_definitions(hypura_settings INTERFACE HYPURA_WITH_${name}=0)
  endif()
  message(STATUS "${library}: ${HYPURA_WITH_${name}}")
endfunction()

hypura_library(URING liburing.h uring)
hypura_library(JANSSON jansson.h jansson)
hypura_library(XXHASH xxhash.h xxhash)
