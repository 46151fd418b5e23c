// SPDX-License-Identifier: BSD-3-Clause
//
// A plugin of QEMU's user-mode emulation: counts the instructions that the guest executes, in the
// eight bytes of the file that its argument into= names. Guests read it there while they run.
// Instructions of threads that run at the same moment may be lost.
//
// Declares what it uses of qemu-plugin.h, version 1, which Debian has in no package.

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct qemu_plugin_tb;
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
                                                  void (*callback)(uint64_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int operation,
                                                     void *counter, uint64_t number);

int qemu_plugin_version = 1;

enum { ADD_U64 = 0 };
static uint64_t *count;

static void translated(uint64_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, count, qemu_plugin_tb_n_insns(tb));
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
  static const char into[] = "into=";
  (void)info;
  if (argc != 1 || strncmp(argv[0], into, sizeof into - 1)) return 1;
  int file = open(argv[0] + sizeof into - 1, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || ftruncate(file, sizeof *count)) return 1;
  count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (count == MAP_FAILED) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
