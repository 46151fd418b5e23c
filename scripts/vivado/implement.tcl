# SPDX-License-Identifier: BSD-3-Clause
#
# Synthesises, places and routes the block design `qnn` of the open project. What is routed leaves
# ./timing.rpt, ./utilization.rpt and ./timing.json; ./qnn.bit and ./qnn.hwh only where timing is met.

proc synthesise {settings} {
  dict with settings {}
  set design [get_files qnn.bd]
  set_property synth_checkpoint_mode None $design
  generate_target all $design
  add_files -norecurse [make_wrapper -files $design -top]
  set_property top qnn_wrapper [current_fileset]
  update_compile_order -fileset sources_1
  if {[llength $ultra_ram]} {
    add_files -fileset constrs_1 -norecurse ultra_ram.xdc
    set_property USED_IN synthesis [get_files ultra_ram.xdc]
  }
  set_property strategy Performance_ExplorePostRoutePhysOpt [get_runs impl_1]
  finish_run synth_1 $jobs
}

proc place_and_route {settings} {
  finish_run impl_1 [dict get $settings jobs]
  open_run impl_1
  report_utilization -file utilization.rpt
  report_timing_summary -file timing.rpt
}

proc finish_run {run jobs} {
  launch_runs $run -jobs $jobs
  wait_on_run $run
  if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
    error "$run ended with \"[get_property STATUS [get_runs $run]]\",\
      see project/qnn.runs/$run/runme.log"
  }
}

# Slack of the worst path in ns; an error where there is none, for then nothing is constrained.
proc worst_slack {kind} {
  set slack [get_property SLACK [get_timing_paths -$kind -max_paths 1]]
  if {![string is double -strict $slack]} {error "no path has a $kind slack: is there a clock?"}
  return $slack
}

proc judge_timing {settings} {
  dict with settings {}
  set ps_facts [$system $settings]
  set period [get_property PERIOD [get_clocks [dict get $ps_facts timed]]]
  set setup [worst_slack setup]
  set hold [worst_slack hold]
  set channel [open timing.json w]
  puts $channel "{\"period_ns\": $period, \"setup_slack_ns\": $setup, \"hold_slack_ns\": $hold,\
    \"vivado\": \"[version -short]\"}"
  close $channel
  # the processing system divides its PLL by whole numbers and takes the nearest clock
  if {abs($period * $clock_mhz / 1000.0 - 1) > 0.05} {
    error "[dict get $ps_facts clock] has a period of $period ns, $clock_mhz MHz was asked for"
  }
  if {$setup < 0} {
    set met [expr {floor(10000.0 / ($period - $setup)) / 10}]
    error "timing is not met: setup slack is $setup ns of $period ns; it would be met at $met MHz"
  }
  if {$hold < 0} {error "timing is not met: hold slack is $hold ns"}
}

# user_id is readable in the header of the file, usr_access in the logic; both have 8 hex digits.
proc write_files {settings} {
  dict with settings {}
  set_property BITSTREAM.CONFIG.USERID 0x$user_id [current_design]
  set_property BITSTREAM.CONFIG.USR_ACCESS $usr_access [current_design]
  write_bitstream -force qnn.bit
  file copy -force project/qnn.gen/sources_1/bd/qnn/hw_handoff/qnn.hwh qnn.hwh
}
