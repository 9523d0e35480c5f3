# embed(NAME FILE): makes the library NAME, which holds the bytes of FILE between the symbols NAME and NAME_end.
function(embed name file)
    set(assembly ${CMAKE_BINARY_DIR}/embedded/${name}.S)
    file(CONFIGURE OUTPUT ${assembly} CONTENT [[
    .section .rodata
    .balign 8
    .global @name@, @name@_end
@name@: .incbin "@file@"
@name@_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
]] @ONLY)
    set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS ${file})
    add_library(${name} STATIC ${assembly})
endfunction()
