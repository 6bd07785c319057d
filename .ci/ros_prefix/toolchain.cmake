# The ROS wheels export CMake targets that name include directories of the machine that built them. A toolchain file is
# the one hook that reaches every package of a workspace without touching the wheels or anybody's CMakeLists.txt.
set(CMAKE_PROJECT_INCLUDE "${CMAKE_CURRENT_LIST_DIR}/drop_builder_includes.cmake")
