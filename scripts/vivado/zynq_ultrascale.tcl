# SPDX-License-Identifier: BSD-3-Clause
#
# The processing system of a Zynq UltraScale+, for block_design.tcl: registers behind M_AXI_HPM0_FPD,
# memory ports S_AXI_HP0_FPD and S_AXI_HP2_FPD (GP2 and GP4 by the names of parameters), AXI4 of 128
# bits, pl_clk0. DDR and pins are those of the image, which has set them before this is loaded.

proc zynq_ultrascale {settings} {
  dict with settings {}
  return [dict create \
    cell zynq_ultra_ps_e_0 \
    kind xilinx.com:ip:zynq_ultra_ps_e:* \
    values [dict merge $ps [list \
      PSU__USE__M_AXI_GP0 1 PSU__MAXIGP0__DATA_WIDTH 32 \
      PSU__USE__M_AXI_GP1 0 PSU__USE__M_AXI_GP2 0 \
      PSU__USE__S_AXI_GP2 1 PSU__SAXIGP2__DATA_WIDTH 128 \
      PSU__USE__S_AXI_GP4 1 PSU__SAXIGP4__DATA_WIDTH 128 \
      PSU__FPGA_PL0_ENABLE 1 PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $clock_mhz \
      PSU__USE__FABRIC__RST 1 PSU__NUM_FABRIC_RESETS 1 PSU__USE__IRQ0 1]] \
    clock pl_clk0 timed clk_pl_0 reset pl_resetn0 interrupt pl_ps_irq0 \
    outside {} \
    control {M_AXI_HPM0_FPD maxihpm0_fpd_aclk Data} \
    memory {S_AXI_HP0_FPD saxihp0_fpd_aclk SAXIGP2/HP0_DDR_LOW
      {SAXIGP2/HP0_DDR_HIGH SAXIGP2/HP0_LPS_OCM SAXIGP2/HP0_QSPI}} \
    read {S_AXI_HP2_FPD saxihp2_fpd_aclk SAXIGP4/HP2_DDR_LOW
      {SAXIGP4/HP2_DDR_HIGH SAXIGP4/HP2_LPS_OCM SAXIGP4/HP2_QSPI}}]
}
