# Bytes of files inside the plugin, and the programs in the kernel.
find_program(BPF_CLANG NAMES clang clang-19 clang-16 clang-14 REQUIRED)
find_program(BPF_STRIP NAMES llvm-strip llvm-strip-19 llvm-strip-16 llvm-strip-14 REQUIRED)

if(NOT CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
    message(FATAL_ERROR "The programs are written for x86-64 only so far, this is ${CMAKE_SYSTEM_PROCESSOR}")
endif()
set(BPF_ARCH_INCLUDE /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
set(SYSCALL_NUMBERS ${CMAKE_BINARY_DIR}/bpf/syscall_numbers.h)

# The numbers of the system calls, of 64 and of 32 bits side by side.
add_custom_command(OUTPUT ${SYSCALL_NUMBERS}
    COMMAND sh -c "for n in 64 32; do sed -n \"s/^#define __NR_/#define NR$\{n\}_/p\" $0/asm/unistd_$n.h; done > $1"
        ${BPF_ARCH_INCLUDE} ${SYSCALL_NUMBERS}
    DEPENDS ${BPF_ARCH_INCLUDE}/asm/unistd_64.h ${BPF_ARCH_INCLUDE}/asm/unistd_32.h VERBATIM)

# bpf_object(NAME SOURCE CPU [DEFINITION...]): compiles SOURCE for that BPF instruction set and embeds the object as NAME.
function(bpf_object name source cpu)
    set(object ${CMAKE_BINARY_DIR}/bpf/${name}.o)
    list(TRANSFORM ARGN PREPEND -D OUTPUT_VARIABLE definitions)
    if(cpu STREQUAL v3) # (clang tells its programs the instruction set only since 18)
        list(APPEND definitions -DHAS_COMPARE_EXCHANGE)
    endif()
    add_custom_command(OUTPUT ${object}
        COMMAND ${BPF_CLANG} -target bpf -mcpu=${cpu} -D__TARGET_ARCH_x86 ${definitions} -O2 -g -std=gnu11
            -Wall -Wextra -Werror -Wno-unused-parameter
            -I${CMAKE_BINARY_DIR}/bpf -I${PROJECT_SOURCE_DIR}/charts -I${PROJECT_SOURCE_DIR}/kernel-collector
            -isystem ${BPF_ARCH_INCLUDE} -MD -MF ${object}.d -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
        # libbpf passes over the relocations of the type information.
        COMMAND ${BPF_STRIP} -g --remove-section=.rel.BTF --remove-section=.rel.BTF.ext ${object}
        DEPENDS ${source} ${SYSCALL_NUMBERS} DEPFILE ${object}.d VERBATIM)
    embed(${name} ${object})
endfunction()

# What the macros of a group's programs become: GROUP=vfs cmake --build build/release --target expand
add_custom_target(expand VERBATIM
    COMMAND sh -c "exec $0/tools/expand.sh $\{GROUP:-vfs\} -I$1 -isystem $2"
        ${PROJECT_SOURCE_DIR} ${CMAKE_BINARY_DIR}/bpf ${BPF_ARCH_INCLUDE} DEPENDS ${SYSCALL_NUMBERS})
