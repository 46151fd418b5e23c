# SPDX-License-Identifier: BSD-3-Clause
#
# Builds the block design `qnn` around the packaged IP in ./ip: processing system, reset,
# interconnects for control and memory, interrupt controller.
#
#   processing system > control_interconnect > qnn_engine_0/s_axi_ctrl, axi_intc_0/s_axi
#   qnn_engine_0/m_axi > memory_interconnect > processing system
#   qnn_engine_0/m_axi_read > read_interconnect > processing system
#   qnn_engine_0/irq > axi_intc_0 > processing system    PYNQ finds interrupts through one only
#
# The interconnects make of AXI4 and 64 bits what the port has. All of it runs from one clock. One
# interrupt needs no concatenation, whose IP is not the same in all versions of Vivado.

# settings: keys part, vlnv, clock_mhz, memory_bytes, segment_bytes, engine_address, intc_address,
# system: the proc that tells the processing system, zynq_7000 or zynq_ultrascale, and ps, names and
# values of the board for it. Such a proc gives a dictionary:
#
#   cell kind values                  name, IP (* for any version) and parameters
#   clock timed reset interrupt       pins, and the clock by the name that timing reports have for it
#   outside                           interface ports, and their kinds
#   control                           bus, clock pin and address space of the master
#   memory read                       bus, clock pin and segment of a memory port; what else lies there
proc block_design {settings} {
  dict with settings {}
  set ps_facts [$system $settings]
  dict with ps_facts {}
  create_project -force -part $part qnn project
  set_property ip_repo_paths ip [current_project]
  update_ip_catalog -rebuild
  create_bd_design qnn
  foreach {name wanted} [list \
      $cell $kind \
      proc_sys_reset_0 xilinx.com:ip:proc_sys_reset:5.0 \
      control_interconnect xilinx.com:ip:axi_interconnect:2.1 \
      memory_interconnect xilinx.com:ip:axi_interconnect:2.1 \
      read_interconnect xilinx.com:ip:axi_interconnect:2.1 \
      axi_intc_0 xilinx.com:ip:axi_intc:4.1 \
      qnn_engine_0 $vlnv] {
    set found [lindex [lsort -dictionary [get_ipdefs -all $wanted]] end]
    if {$found eq ""} {error "this Vivado has no IP $wanted"}
    create_bd_cell -type ip -vlnv $found $name
  }
  configure $cell $values
  configure control_interconnect {NUM_SI 1 NUM_MI 2}
  foreach name {memory_interconnect read_interconnect} {configure $name {NUM_SI 1 NUM_MI 1}}
  configure axi_intc_0 {C_IRQ_CONNECTION 1}
  wire_clocks $ps_facts
  wire_buses $ps_facts
  set space $cell/[lindex $control 2]
  place_segment $space qnn_engine_0/s_axi_ctrl/reg0 $engine_address $segment_bytes
  place_segment $space axi_intc_0/S_AXI/Reg $intc_address $segment_bytes
  foreach {master port} [list m_axi $memory m_axi_read $read] {
    place_segment qnn_engine_0/$master $cell/[lindex $port 2] 0 $memory_bytes
    foreach segment [lindex $port 3] {leave_out qnn_engine_0/$master $cell/$segment}
  }
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

proc wire_clocks {ps_facts} {
  dict with ps_facts {}
  connect_pins $cell/$clock \
    $cell/[lindex $control 1] $cell/[lindex $memory 1] $cell/[lindex $read 1] \
    proc_sys_reset_0/slowest_sync_clk axi_intc_0/s_axi_aclk qnn_engine_0/aclk \
    control_interconnect/ACLK control_interconnect/S00_ACLK \
    control_interconnect/M00_ACLK control_interconnect/M01_ACLK \
    memory_interconnect/ACLK memory_interconnect/S00_ACLK memory_interconnect/M00_ACLK \
    read_interconnect/ACLK read_interconnect/S00_ACLK read_interconnect/M00_ACLK
  connect_pins $cell/$reset proc_sys_reset_0/ext_reset_in
  connect_pins proc_sys_reset_0/interconnect_aresetn \
    control_interconnect/ARESETN memory_interconnect/ARESETN read_interconnect/ARESETN
  connect_pins proc_sys_reset_0/peripheral_aresetn \
    axi_intc_0/s_axi_aresetn qnn_engine_0/aresetn \
    control_interconnect/S00_ARESETN control_interconnect/M00_ARESETN \
    control_interconnect/M01_ARESETN memory_interconnect/S00_ARESETN \
    memory_interconnect/M00_ARESETN read_interconnect/S00_ARESETN \
    read_interconnect/M00_ARESETN
}

proc wire_buses {ps_facts} {
  dict with ps_facts {}
  connect_interfaces $cell/[lindex $control 0] control_interconnect/S00_AXI
  connect_interfaces control_interconnect/M00_AXI qnn_engine_0/s_axi_ctrl
  connect_interfaces control_interconnect/M01_AXI axi_intc_0/s_axi
  connect_interfaces qnn_engine_0/m_axi memory_interconnect/S00_AXI
  connect_interfaces memory_interconnect/M00_AXI $cell/[lindex $memory 0]
  connect_interfaces qnn_engine_0/m_axi_read read_interconnect/S00_AXI
  connect_interfaces read_interconnect/M00_AXI $cell/[lindex $read 0]
  connect_pins qnn_engine_0/irq axi_intc_0/intr
  connect_pins axi_intc_0/irq $cell/$interrupt
  foreach {port kind} $outside {
    create_bd_intf_port -mode Master -vlnv $kind $port
    connect_bd_intf_net [get_bd_intf_ports $port] [get_bd_intf_pins $cell/$port]
  }
}

proc place_segment {space segment offset bytes} {
  assign_bd_address -offset $offset -range $bytes \
    -target_address_space [get_bd_addr_spaces $space] [get_bd_addr_segs $segment]
}

# What a master reaches, but shall not: without it Vivado says that the segment has no address.
proc leave_out {space segment} {
  set found [get_bd_addr_segs $segment]
  if {$found ne ""} {
    exclude_bd_addr_seg -target_address_space [get_bd_addr_spaces $space] $found
  }
}
