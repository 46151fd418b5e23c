zynq/xilinx_7.sv
zynq/qnn_axi3_lite.sv
zynq/qnn_intc.sv
zynq/qnn_fabric.sv
zynq/qnn_zynq.sv
