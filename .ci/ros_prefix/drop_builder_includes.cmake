# Included by every project() call (see toolchain.cmake); cleans the imported targets once the project has found them all.
cmake_minimum_required(VERSION 3.21)  # IMPORTED_TARGETS

function(drop_builder_includes)
  get_property(imported DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS imported)
    get_target_property(directories "${target}" INTERFACE_INCLUDE_DIRECTORIES)
    if(directories MATCHES "/opt/python/")
      list(FILTER directories EXCLUDE REGEX "^/opt/python/")
      set_target_properties("${target}" PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${directories}")
    endif()
  endforeach()
endfunction()

cmake_language(DEFER CALL drop_builder_includes)
