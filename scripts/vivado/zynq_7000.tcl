# SPDX-License-Identifier: BSD-3-Clause
#
# The processing system of a Zynq-7000, for block_design.tcl: registers behind M_AXI_GP0, memory ports
# S_AXI_HP0 and S_AXI_HP2, AXI3 of 64 bits, FCLK_CLK0.

proc zynq_7000 {settings} {
  dict with settings {}
  return [dict create \
    cell processing_system7_0 \
    kind xilinx.com:ip:processing_system7:5.5 \
    values [dict merge $ps [list \
      PCW_USE_M_AXI_GP0 1 PCW_USE_S_AXI_HP0 1 PCW_S_AXI_HP0_DATA_WIDTH 64 \
      PCW_USE_S_AXI_HP2 1 PCW_S_AXI_HP2_DATA_WIDTH 64 \
      PCW_FPGA_FCLK0_ENABLE 1 PCW_EN_CLK0_PORT 1 PCW_EN_RST0_PORT 1 \
      PCW_FPGA0_PERIPHERAL_FREQMHZ $clock_mhz PCW_USE_FABRIC_INTERRUPT 1 PCW_IRQ_F2P_INTR 1]] \
    clock FCLK_CLK0 timed clk_fpga_0 reset FCLK_RESET0_N interrupt IRQ_F2P \
    outside {
      DDR xilinx.com:interface:ddrx_rtl:1.0
      FIXED_IO xilinx.com:display_processing_system7:fixedio_rtl:1.0
    } \
    control {M_AXI_GP0 M_AXI_GP0_ACLK Data} \
    memory {S_AXI_HP0 S_AXI_HP0_ACLK S_AXI_HP0/HP0_DDR_LOWOCM {}} \
    read {S_AXI_HP2 S_AXI_HP2_ACLK S_AXI_HP2/HP2_DDR_LOWOCM {}}]
}
