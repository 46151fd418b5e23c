# SPDX-License-Identifier: BSD-3-Clause
#
# All steps from rtl/ to qnn.bit and qnn.hwh, in the current folder:
#
#   vivado -mode batch -notrace -source scripts/vivado/bitstream.tcl -tclargs settings.tcl
#
# settings.tcl is written by scripts/bitstream.py and holds one Tcl dictionary. Lines that begin
# with "qnn: " are for the reader, "qnn: error: " says why the exit status is 1.

proc check_version {} {
  if {[package vcompare [lindex [split [version -short] _] 0] 2022.1] < 0} {
    error "this is Vivado [version -short]; 2022.1 or later is needed"
  }
}

proc main {file} {
  set channel [open $file]
  set settings [read $channel]
  close $channel
  check_version
  foreach {step text} {
    package_ip "package the IP"
    block_design "build the block design"
    synthesise "synthesise"
    place_and_route "place and route"
    judge_timing "check timing"
    write_files "write the bitstream"
  } {
    puts "qnn: $text"
    flush stdout
    $step $settings
  }
}

foreach steps {package_ip zynq_7000 zynq_ultrascale block_design implement} {
  source [file join [file dirname [info script]] $steps.tcl]
}
if {[catch {main [lindex $argv 0]} message]} {
  puts $::errorInfo
  puts "qnn: error: [lindex [split $message \n] 0]"
  exit 1
}
exit 0
