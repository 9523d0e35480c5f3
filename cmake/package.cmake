# What is installed beside the plugin, and the packages: layouts that the agents of Debian and of Netdata find.
set(FILE_CAPABILITIES cap_bpf,cap_perfmon,cap_sys_admin,cap_sys_resource,cap_sys_ptrace,cap_dac_read_search=p)
set(SYSTEMD_UNIT_DIR lib/systemd/system CACHE STRING "Where systemd looks for units, below the prefix")
set(VERSION ${PROJECT_VERSION})
set(packaging ${PROJECT_SOURCE_DIR}/packaging)
foreach(file postinst postrm ebpf.plugin.1)
    configure_file(${packaging}/${file}.in packaging/${file} @ONLY)
endforeach()

# The options are those of the plugin itself.
add_custom_command(OUTPUT ebpf.plugin.1
    COMMAND ${packaging}/man-page $<TARGET_FILE:ebpf.plugin> packaging/ebpf.plugin.1 > ebpf.plugin.1
    DEPENDS ebpf.plugin ${packaging}/man-page ${packaging}/ebpf.plugin.1.in VERBATIM)
add_custom_target(manual ALL DEPENDS ebpf.plugin.1)

install(FILES ${CMAKE_BINARY_DIR}/ebpf.plugin.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${packaging}/netdata.service.d.conf DESTINATION ${SYSTEMD_UNIT_DIR}/netdata.service.d RENAME ebpf.conf)
foreach(document README.md TROUBLESHOOTING.md charts/README.md charts/system-calls.md charts/dashboard.png charts/watch.png
        kernel-collector/README.md packaging/README.md selinux/README.md tests/bench/README.md)
    cmake_path(GET document PARENT_PATH folder)
    install(FILES ${document} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/netdata-ebpf-plugin/${folder})
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/netdata-ebpf-plugin RENAME copyright)
if(CMAKE_INSTALL_PREFIX STREQUAL /usr AND PLUGINS_DIR STREQUAL /usr/lib/netdata/plugins.d) # Netdata's own Debian packages look in libexec
    file(CREATE_LINK ../../../lib/netdata/plugins.d/ebpf.plugin ${CMAKE_BINARY_DIR}/packaging/ebpf.plugin SYMBOLIC)
    install(FILES ${CMAKE_BINARY_DIR}/packaging/ebpf.plugin DESTINATION libexec/netdata/plugins.d)
endif()

set(CPACK_PACKAGE_NAME netdata-ebpf-plugin)
set(CPACK_PACKAGE_VENDOR "The ebpf.plugin project")
set(CPACK_PACKAGE_CONTACT "The ebpf.plugin project <ebpf.plugin@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Netdata plugin that shows what programs do with the Linux kernel")
set(CPACK_PACKAGE_DESCRIPTION "Counts files, virtual file system, processes and sockets with eBPF, every second, for the
system and for each application, container and service.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "netdata-core | netdata, libcap2-bin")
set(CPACK_DEBIAN_PACKAGE_CONFLICTS netdata-plugin-ebpf)
set(CPACK_DEBIAN_PACKAGE_REPLACES netdata-plugin-ebpf)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/packaging/postinst ${CMAKE_BINARY_DIR}/packaging/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE GPL-3.0-or-later)
set(CPACK_RPM_PACKAGE_REQUIRES "netdata, libcap")
set(CPACK_RPM_PACKAGE_CONFLICTS netdata-plugin-ebpf)
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${CMAKE_BINARY_DIR}/packaging/postinst)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${CMAKE_BINARY_DIR}/packaging/postrm)
# The agent's and the system's folders are not ours.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
    /usr/libexec /usr/libexec/netdata /usr/libexec/netdata/plugins.d /usr/lib/netdata /usr/lib/netdata/conf.d
    /usr/lib/systemd /usr/lib/systemd/system /usr/share/man /usr/share/man/man1 /usr/share/doc)
include(CPack)
