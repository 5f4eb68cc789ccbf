# One interface target carries the warnings and the sanitizers every part is built with.
add_library(ha_options INTERFACE)
target_compile_options(ha_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wswitch-enum -Wnon-virtual-dtor
    -fno-omit-frame-pointer)
if(HAMIRROR_SANITIZE)
    target_compile_options(ha_options INTERFACE -fsanitize=${HAMIRROR_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(ha_options INTERFACE -fsanitize=${HAMIRROR_SANITIZE})
    target_compile_definitions(ha_options INTERFACE HA_SANITIZED)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    # libsystemd's macros are compound literals.
    target_compile_options(ha_options INTERFACE -Wthread-safety -Wno-c99-extensions)
endif()
