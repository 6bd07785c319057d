# Two things about include directories keep a package from building against ROS wheels in a virtual environment. A
# toolchain file is the one hook that mends them without touching the wheels or anybody's CMakeLists.txt.
set(CMAKE_PROJECT_INCLUDE "${CMAKE_CURRENT_LIST_DIR}/mend_include_directories.cmake")
