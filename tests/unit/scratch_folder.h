// A folder of files for one test, gone with it.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

class ScratchFolder {
public:
    ScratchFolder() {
        std::string name = std::filesystem::temp_directory_path() / "ebpf-unit-XXXXXX";
        if (!mkdtemp(name.data())) throw std::runtime_error("no folder for the test");
        path_ = name;
        std::filesystem::permissions(path_, std::filesystem::perms(0755));
    }
    ~ScratchFolder() { std::filesystem::remove_all(path_); }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;

    std::string operator/(const std::string& name) const { return path_ / name; }

    // Writes the file, and the folders that it lies in; answers its path.
    std::string write(const std::string& name, const std::string& text) const {
        std::filesystem::path file = path_ / name;
        std::filesystem::create_directories(file.parent_path());
        std::filesystem::remove(file);  // writing over it, ext4 would wait for the disk
        if (!(std::ofstream(file, std::ios::binary) << text)) throw std::runtime_error("write " + file.string());
        return file;
    }

private:
    std::filesystem::path path_;
};
