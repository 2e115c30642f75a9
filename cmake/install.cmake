# What users get: the program, the header, and one static library in which the layers are
# linked together and only hypura_* can be seen, so that no internal name collides with a
# name of theirs.

include(GNUInstallDirs)

# The layers behind the public header; cli and server stand before it.
set(layers base sys quant gguf store kernels text sample model engine)
set(archives)
foreach(folder ${layers})
  if(TARGET hypura_${folder})
    list(APPEND archives "$<TARGET_FILE:hypura_${folder}>")
    list(APPEND archive_targets hypura_${folder})
  endif()
endforeach()

set(object "${CMAKE_BINARY_DIR}/hypura.o")
set(library "${CMAKE_BINARY_DIR}/libhypura.a")
add_custom_command(OUTPUT "${library}"
  COMMAND "${CMAKE_LINKER}" -r -o "${object}" --whole-archive ${archives}
  COMMAND "${CMAKE_OBJCOPY}" --localize-hidden "${object}"
  COMMAND "${CMAKE_COMMAND}" -E rm -f "${library}"
  COMMAND "${CMAKE_AR}" rcs "${library}" "${object}"
  DEPENDS ${archive_targets}
  COMMENT "Linking libhypura.a"
  VERBATIM)
add_custom_target(hypura_library ALL DEPENDS "${library}")

# What a static link needs besides, for pkg-config --static.
set(private_libraries "-lm -pthread")
foreach(pair "URING:-luring" "JANSSON:-ljansson" "XXHASH:-lxxhash")
  string(REPLACE ":" ";" pair "${pair}")
  list(GET pair 0 name)
  list(GET pair 1 flag)
  if(HYPURA_WITH_${name})
    string(PREPEND private_libraries "${flag} ")
  endif()
endforeach()
configure_file("${CMAKE_SOURCE_DIR}/cmake/hypura.pc.in" "${CMAKE_BINARY_DIR}/hypura.pc" @ONLY)

# The manual page and the completion come out of the program itself, where it can run here.
if(NOT CMAKE_CROSSCOMPILING)
  set(manual "${CMAKE_BINARY_DIR}/hypura.1")
  set(completion "${CMAKE_BINARY_DIR}/hypura.bash")
  add_custom_command(OUTPUT "${manual}" "${completion}"
    COMMAND sh -c "\"$1\" help --man >\"$2\" && \"$1\" help --completion bash >\"$3\""
      sh "$<TARGET_FILE:hypura>" "${manual}" "${completion}"
    DEPENDS hypura
    COMMENT "Writing hypura.1 and its completion"
    VERBATIM)
  add_custom_target(hypura_pages ALL DEPENDS "${manual}" "${completion}")
  install(FILES "${manual}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
  install(FILES "${completion}"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME hypura)
endif()

install(TARGETS hypura RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(FILES "${library}" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(FILES "${CMAKE_BINARY_DIR}/hypura.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
install(FILES "${CMAKE_SOURCE_DIR}/include/hypura/hypura.h"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/hypura")
