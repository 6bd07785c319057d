# Included by every project() call (see toolchain.cmake). Runs after the project has found and defined its targets.
cmake_minimum_required(VERSION 3.21)  # IMPORTED_TARGETS

function(mend_include_directories)
  # Targets exported by the wheels list include directories of the build machine.
  get_property(imported DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS imported)
    get_target_property(directories "${target}" INTERFACE_INCLUDE_DIRECTORIES)
    if(directories MATCHES "/opt/python/")
      list(FILTER directories EXCLUDE REGEX "^/opt/python/")
      set_target_properties("${target}" PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${directories}")
    endif()
  endforeach()

  # The generated Python extensions export numpy's include directory. CMake rejects it when the virtual environment is in
  # the source tree. Packages that use the extensions have their own numpy.
  get_property(made DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS made)
    get_target_property(directories "${target}" INTERFACE_INCLUDE_DIRECTORIES)
    if(directories MATCHES "/site-packages/")
      list(TRANSFORM directories REPLACE "^(/.*/site-packages/.*)$" "$<BUILD_INTERFACE:\\1>")
      set_target_properties("${target}" PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${directories}")
    endif()
  endforeach()
endfunction()

cmake_language(DEFER CALL mend_include_directories)
