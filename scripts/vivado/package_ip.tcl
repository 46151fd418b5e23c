# SPDX-License-Identifier: BSD-3-Clause
#
# Packages the accelerator as an IP into ./ip: its Verilog wrapper over rtl/, AXI4-Lite slave,
# AXI4 masters, interrupt, and the registers of the register source.

# settings: keys part, vlnv, title, ip_top, sources, address_bytes, registers; each register is
# {name offset access description {{field lowest_bit width description} ...}}.
proc package_ip {settings} {
  dict with settings {}
  lassign [split $vlnv :] vendor library name version
  create_project -force -part $part package package
  add_files -norecurse $sources
  set_property top $ip_top [current_fileset]
  update_compile_order -fileset sources_1
  ipx::package_project -root_dir ip -vendor $vendor -library $library -taxonomy /UserIP \
    -import_files -set_current true -force
  set core [ipx::current_core]
  set_property name $name $core
  set_property version $version $core
  set_property display_name $title $core
  set_property description $title $core
  set_property supported_families {zynq Production zynquplus Production} $core
  package_interfaces $core
  package_registers $core $address_bytes $registers
  ipx::create_xgui_files $core
  ipx::update_checksums $core
  ipx::check_integrity $core
  ipx::save_core $core
  close_project
}

# The packager infers the interfaces from the attributes of the wrapper; without one of them the
# block design would fail much later and say less. Where the addresses that belong to them were not
# inferred too, they are added, here and below.
proc package_interfaces {core} {
  foreach interface {s_axi_ctrl m_axi m_axi_read irq aclk aresetn} {
    if {[ipx::get_bus_interfaces $interface -of_objects $core] eq ""} {
      error "the packager found no interface $interface in the wrapper"
    }
  }
  foreach master {m_axi m_axi_read} {
    if {[ipx::get_address_spaces $master -of_objects $core] eq ""} {
      set space [ipx::add_address_space $master $core]
      set_property range 4294967296 $space
      set_property width 32 $space
      set_property master_address_space_ref $master \
        [ipx::get_bus_interfaces $master -of_objects $core]
    }
  }
}

proc package_registers {core address_bytes registers} {
  set map [ipx::get_memory_maps s_axi_ctrl -of_objects $core]
  if {$map eq ""} {
    set map [ipx::add_memory_map s_axi_ctrl $core]
    set_property slave_memory_map_ref s_axi_ctrl \
      [ipx::get_bus_interfaces s_axi_ctrl -of_objects $core]
  }
  set block [lindex [ipx::get_address_blocks -of_objects $map] 0]
  if {$block eq ""} {set block [ipx::add_address_block reg0 $map]}
  set_property name reg0 $block
  set_property base_address 0 $block
  set_property range $address_bytes $block
  set_property width 32 $block
  set_property usage register $block
  foreach register $registers {
    lassign $register name offset access description fields
    set object [ipx::add_register $name $block]
    set_property address_offset $offset $object
    set_property size 32 $object
    set_property access $access $object
    set_property description $description $object
    foreach field $fields {
      lassign $field name lowest width description
      set part [ipx::add_field $name $object]
      set_property bit_offset $lowest $part
      set_property bit_width $width $part
      set_property access $access $part
      set_property description $description $part
    }
  }
}
