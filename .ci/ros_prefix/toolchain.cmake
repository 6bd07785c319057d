# Two defects of include directories prevent a build against ROS wheels in a virtual environment. A toolchain file can
# correct them without a change of the wheels or of a CMakeLists.txt.
set(CMAKE_PROJECT_INCLUDE "${CMAKE_CURRENT_LIST_DIR}/mend_include_directories.cmake")
