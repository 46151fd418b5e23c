# SPDX-License-Identifier: BSD-3-Clause
#
# Builds the block design `qnn` around the packaged IP in ./ip: processing system, reset,
# interconnects for control and memory, interrupt controller.
#
#   M_AXI_GP0 > control_interconnect > qnn_engine_0/s_axi_ctrl, axi_intc_0/s_axi
#   qnn_engine_0/m_axi > memory_interconnect (AXI4 to AXI3) > S_AXI_HP0
#   qnn_engine_0/m_axi_read > read_interconnect (AXI4 to AXI3) > S_AXI_HP2
#   qnn_engine_0/irq > axi_intc_0 > IRQ_F2P    PYNQ finds interrupts through an axi_intc only
#
# All of it runs from FCLK_CLK0. One interrupt needs no concatenation, whose IP is not the same in
# all versions of Vivado.

# settings: keys part, vlnv, clock_mhz, memory_bytes, segment_bytes, engine_address, intc_address,
# ps7 (PCW names and values of the board).
proc block_design {settings} {
  dict with settings {}
  create_project -force -part $part qnn project
  set_property ip_repo_paths ip [current_project]
  update_ip_catalog -rebuild
  create_bd_design qnn
  foreach {cell kind} [list \
      processing_system7_0 xilinx.com:ip:processing_system7:5.5 \
      proc_sys_reset_0 xilinx.com:ip:proc_sys_reset:5.0 \
      control_interconnect xilinx.com:ip:axi_interconnect:2.1 \
      memory_interconnect xilinx.com:ip:axi_interconnect:2.1 \
      read_interconnect xilinx.com:ip:axi_interconnect:2.1 \
      axi_intc_0 xilinx.com:ip:axi_intc:4.1 \
      qnn_engine_0 $vlnv] {
    if {[get_ipdefs -all $kind] eq ""} {error "this Vivado has no IP $kind"}
    create_bd_cell -type ip -vlnv $kind $cell
  }
  configure processing_system7_0 [dict merge $ps7 [list \
    PCW_USE_M_AXI_GP0 1 PCW_USE_S_AXI_HP0 1 PCW_S_AXI_HP0_DATA_WIDTH 64 \
    PCW_USE_S_AXI_HP2 1 PCW_S_AXI_HP2_DATA_WIDTH 64 \
    PCW_FPGA_FCLK0_ENABLE 1 PCW_EN_CLK0_PORT 1 PCW_EN_RST0_PORT 1 \
    PCW_FPGA0_PERIPHERAL_FREQMHZ $clock_mhz PCW_USE_FABRIC_INTERRUPT 1 PCW_IRQ_F2P_INTR 1]]
  configure control_interconnect {NUM_SI 1 NUM_MI 2}
  foreach cell {memory_interconnect read_interconnect} {configure $cell {NUM_SI 1 NUM_MI 1}}
  configure axi_intc_0 {C_IRQ_CONNECTION 1}
  wire_clocks
  wire_buses
  place_segment processing_system7_0/Data qnn_engine_0/s_axi_ctrl/reg0 \
    $engine_address $segment_bytes
  place_segment processing_system7_0/Data axi_intc_0/S_AXI/Reg $intc_address $segment_bytes
  place_segment qnn_engine_0/m_axi processing_system7_0/S_AXI_HP0/HP0_DDR_LOWOCM 0 $memory_bytes
  place_segment qnn_engine_0/m_axi_read \
    processing_system7_0/S_AXI_HP2/HP2_DDR_LOWOCM 0 $memory_bytes
  validate_bd_design
  save_bd_design
}

proc configure {cell values} {
  set properties {}
  dict for {name value} $values {lappend properties CONFIG.$name $value}
  set_property -dict $properties [get_bd_cells $cell]
}

proc connect_pins {from args} {
  foreach to $args {connect_bd_net [get_bd_pins $from] [get_bd_pins $to]}
}

proc connect_interfaces {from to} {
  connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}

proc wire_clocks {} {
  connect_pins processing_system7_0/FCLK_CLK0 \
    processing_system7_0/M_AXI_GP0_ACLK processing_system7_0/S_AXI_HP0_ACLK \
    processing_system7_0/S_AXI_HP2_ACLK \
    proc_sys_reset_0/slowest_sync_clk axi_intc_0/s_axi_aclk qnn_engine_0/aclk \
    control_interconnect/ACLK control_interconnect/S00_ACLK \
    control_interconnect/M00_ACLK control_interconnect/M01_ACLK \
    memory_interconnect/ACLK memory_interconnect/S00_ACLK memory_interconnect/M00_ACLK \
    read_interconnect/ACLK read_interconnect/S00_ACLK read_interconnect/M00_ACLK
  connect_pins processing_system7_0/FCLK_RESET0_N proc_sys_reset_0/ext_reset_in
  connect_pins proc_sys_reset_0/interconnect_aresetn \
    control_interconnect/ARESETN memory_interconnect/ARESETN read_interconnect/ARESETN
  connect_pins proc_sys_reset_0/peripheral_aresetn \
    axi_intc_0/s_axi_aresetn qnn_engine_0/aresetn \
    control_interconnect/S00_ARESETN control_interconnect/M00_ARESETN \
    control_interconnect/M01_ARESETN memory_interconnect/S00_ARESETN \
    memory_interconnect/M00_ARESETN read_interconnect/S00_ARESETN \
    read_interconnect/M00_ARESETN
}

proc wire_buses {} {
  connect_interfaces processing_system7_0/M_AXI_GP0 control_interconnect/S00_AXI
  connect_interfaces control_interconnect/M00_AXI qnn_engine_0/s_axi_ctrl
  connect_interfaces control_interconnect/M01_AXI axi_intc_0/s_axi
  connect_interfaces qnn_engine_0/m_axi memory_interconnect/S00_AXI
  connect_interfaces memory_interconnect/M00_AXI processing_system7_0/S_AXI_HP0
  connect_interfaces qnn_engine_0/m_axi_read read_interconnect/S00_AXI
  connect_interfaces read_interconnect/M00_AXI processing_system7_0/S_AXI_HP2
  connect_pins qnn_engine_0/irq axi_intc_0/intr
  connect_pins axi_intc_0/irq processing_system7_0/IRQ_F2P
  foreach {port kind} {
    DDR xilinx.com:interface:ddrx_rtl:1.0
    FIXED_IO xilinx.com:display_processing_system7:fixedio_rtl:1.0
  } {
    create_bd_intf_port -mode Master -vlnv $kind $port
    connect_bd_intf_net [get_bd_intf_ports $port] [get_bd_intf_pins processing_system7_0/$port]
  }
}

proc place_segment {space segment offset bytes} {
  assign_bd_address -offset $offset -range $bytes \
    -target_address_space [get_bd_addr_spaces $space] [get_bd_addr_segs $segment]
}
