# Looks where the SDK's own module looks, in that order: ZLIB_ROOT, the system, and _deps last.
find_path(ZLIB_INCLUDE_DIR zlib.h
  PATHS ${ZLIB_ROOT} $ENV{ZLIB_ROOT} /usr/local /usr ${PROJECT_SOURCE_DIR}/_deps/target-deps/zlib/release
  PATH_SUFFIXES include)
find_library(ZLIB_LIBRARY z
  PATHS ${ZLIB_ROOT} $ENV{ZLIB_ROOT} /usr/local /usr ${PROJECT_SOURCE_DIR}/_deps/target-deps/zlib/release
  PATH_SUFFIXES lib lib64)
file(STRINGS ${ZLIB_INCLUDE_DIR}/zlib.h line REGEX "^#define ZLIB_VERSION")
string(REGEX REPLACE ".*\"([0-9.]+)\".*" "\\1" ZLIB_VERSION_STRING "${line}")
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ZLIB
  REQUIRED_VARS ZLIB_INCLUDE_DIR ZLIB_LIBRARY VERSION_VAR ZLIB_VERSION_STRING)
add_library(ZLIB::ZLIB UNKNOWN IMPORTED)
set_target_properties(ZLIB::ZLIB PROPERTIES
  IMPORTED_LOCATION ${ZLIB_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${ZLIB_INCLUDE_DIR})
