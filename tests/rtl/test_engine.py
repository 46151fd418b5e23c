# SPDX-License-Identifier: BSD-3-Clause
"""The whole engine, small configurations: random networks equal the golden model, memory around
their maps stays as it was, and whatever goes wrong ends in a status and leaves it ready."""

import dataclasses

import numpy as np
import pytest
import random_networks
from largest_layers import LARGEST, largest

from qnn.engine import command_cycles, estimate, regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import CommandList, encode
from qnn.engine.control import ABORT, RESET, START
from qnn.engine.driver import Driver
from qnn.engine.program import compile_layers
from qnn.engine.word_conv import WordConv
from qnn.errors import DoesNotFitError, QnnError
from qnn.network import Conv, MaxPool
from qnn_sim import run_options
from qnn_sim.golden_network import trace
from qnn_sim.platform import POISON, SimulatedBoard
from qnn_sim.rtl_build import AT_NIGHT
from qnn_sim.rtl_engine import IDEAL, PUBLISHED, MemoryModel

CONFIGURATION, ONE_PORT = "small", "one-port"
MEMORY = 1 << 21
PLACES = 0, 0x5555_5000, 0xAAAA_A000  # of the memory: each bit of an address, one way and the other


def compare(driver, layers, codes):
    for i, maps in enumerate(trace(layers, codes)):
        np.testing.assert_array_equal(driver.map(i), maps, f"layer {i}")
    return maps


def loaded(layers, model=PUBLISHED, configuration=CONFIGURATION, base=0):
    """A driver that has the layers, and its board."""
    board = SimulatedBoard(configuration, MEMORY, model, base=base)
    driver = Driver(board)
    try:
        driver.load(layers)
    except QnnError:
        driver.close()
        raise
    return driver, board


def assert_untouched(driver, board):
    read, write = driver.buffers
    image = driver.layout.image(read.address, write.address)
    place = read.address - board.base
    assert board.engine.memory[place : place + len(image)].tobytes() == image
    assert board.untouched()
    assert board.violations == 0
    assert board.engine.count("pending") == 0


def assert_account(driver, cycles, model):
    """Each product row of a run was counted, and with the ideal memory each of its `cycles`."""
    program, account = driver.layout.program, driver.account()
    get = CommandList(program.image, program.commands).get
    together = driver.capabilities.pixels // (1 + get("wide_sums"))
    groups = -(-get("conv_rows") * get("conv_columns") // together)
    products = get("planes") * get("tile_words") * groups * get("tiles")
    assert [a.busy for a in account] == products.tolist()
    for a in account:
        assert sum(dataclasses.astuple(a)[2:]) <= a.cycles
    if model == IDEAL:
        # a command: 11 to check it while the next one comes, 1 to start; once: 8 beats of the list,
        # 12 to load, 10 to end
        between = cycles - sum(a.cycles for a in account)
        assert between == 37 + 12 * len(account)


@pytest.mark.parametrize(
    ("kind", "count", "least", "configuration"),
    [("codes", 100, 80, CONFIGURATION), ("words", 100, 70, CONFIGURATION),
     ("wide sums", 40, 35, CONFIGURATION), ("parts of blocks", 40, 35, CONFIGURATION),
     ("codes", 30, 20, ONE_PORT), ("words", 30, 20, ONE_PORT),
     pytest.param("codes", 250, 200, CONFIGURATION, marks=pytest.mark.nightly),
     *(pytest.param(*case, name, marks=pytest.mark.nightly)
       for name in AT_NIGHT
       for case in (("codes", 60, 45), ("words", 30, 20), ("wide sums", 20, 15),
                    ("parts of blocks", 20, 15)))],
)  # fmt: skip
def test_random_networks_equal_golden(kind, count, least, configuration, seed):
    """On every kind of memory; again with what stayed on the chip, where all of it did."""
    done = 0
    for case in range(seed, seed + run_options.draws(count, 20)):
        rng = np.random.default_rng(case)
        random = MemoryModel(int(rng.integers(1, 30)), 0, False, True, case)
        model = rng.choice([PUBLISHED, IDEAL, random])
        layers, values = random_networks.CASES[kind](rng)
        try:
            driver, board = loaded(layers, model, configuration, PLACES[case % 3])
        except DoesNotFitError:
            continue
        with driver:
            try:
                cycles = driver.run(values).cycles
                compare(driver, layers, values)
                assert_untouched(driver, board)
                assert_account(driver, cycles, model)
                if driver.status().resident:
                    driver.run(values, resident=True)
                    compare(driver, layers, values)
            except Exception as error:
                raise AssertionError(f"repeat with SEED={case}") from error
        done += 1
    assert done > (0 if run_options.short() else least)


@pytest.mark.parametrize("case", range(8))
def test_a_first_layer_with_folded_rows(case, seed):
    """Few channels of many bits, with padding, strides and pools; picture after picture."""
    rng = np.random.default_rng([seed, case])
    layer = random_networks.random_conv(
        rng, (9, 8, int(rng.integers(1, 4))), 20, (3, int(rng.integers(1, 4))), in_bits=8,
        stride=1 + case % 3, padding=tuple(int(v) for v in rng.integers(0, 3, 4)),
        pool=MaxPool(2, 1) if case % 2 else None,
    )  # fmt: skip
    driver, board = loaded([layer], PUBLISHED)
    with driver:
        assert driver.layout.program.tight.channels == 3 * layer.in_shape[2]
        pictures = rng.integers(0, 256, (3, *layer.in_shape), dtype=np.uint8)
        for codes, offload in zip(pictures, driver.stream(pictures), strict=True):
            (expected,) = trace([layer], codes)
            np.testing.assert_array_equal(offload.maps, expected)
        assert_untouched(driver, board)


def test_words_after_an_abort(seed):
    """At any moment of a pass: the next run begins with the first pass again."""
    rng = np.random.default_rng(seed)
    layer = random_networks.random_word_conv(rng, (6, 9, 3), 16, (2, 3))
    numbers = random_networks.random_numbers(rng, layer)
    driver, board = loaded([layer], IDEAL)
    with driver:
        cycles = driver.run(numbers).cycles
        for after in rng.integers(cycles // 4, cycles - 160, 40).tolist():
            driver.start()
            board.engine.clocks(after)
            board.write(regs.CTRL, ABORT)
            assert ended(driver, board.engine, 2000).code == "ABORTED", f"after {after} of {cycles}"
            driver.quiet()
            driver.run(numbers)
            compare(driver, [layer], numbers)


@pytest.mark.parametrize(("name", "value"), [("words", 1), ("wide_sums", 1)])
def test_what_words_cannot_have_is_a_bad_command(name, value):
    """A pass with fewer product rows than pixels, which the software fills up; wide sums."""
    layer = random_networks.random_word_conv(np.random.default_rng(1), (4, 4, 3), 8, (1, 1))
    driver, board = loaded([layer], IDEAL)
    with driver:
        change_command(driver, 0, name, value)
        driver.start()
        assert_ends(driver, board.engine, "BAD_COMMAND", 0)
        numbers = random_networks.random_numbers(np.random.default_rng(2), layer)
        driver.run(numbers)
        compare(driver, [layer], numbers)


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("at", [-1, 0, 1])
def test_largest_words_and_ties(unsigned, at):
    """The largest sums there can be, of both signs, and thresholds beside them."""
    channels, most = 1000, 2**16 - 1 if unsigned else -(2**15)
    weight = np.full((2, 1, 1, channels), -(2**15), np.int16)
    weight[1] = 2**15 - 1
    sums = [int(row.astype(np.int64).sum()) * most >> regs.WORD_SHIFT for row in weight[:, 0, 0]]
    thresholds = np.array([[total + at, 2**31 - 1] for total in sums], np.int32)
    layer = WordConv("words", (1, 1, channels), unsigned, weight, thresholds)
    driver, _ = loaded([layer])
    with driver:
        numbers = np.full(layer.in_shape, most)
        driver.run(numbers)
        expected = compare(driver, [layer], numbers)
    assert (expected == (at <= 0)).all()


def test_every_step_of_a_sum_of_words_shows(seed):
    """Sums of few steps, and a threshold at each: the code is the sum, so none is off by one."""
    rng = np.random.default_rng(seed)
    for unsigned in (False, True):
        shape, outputs = (20, 24, 3), 16
        weight = rng.integers(-7 << 8, 7 << 8, (outputs, 3, 3, 3)).astype(np.int16)
        numbers = rng.integers(0 if unsigned else -1500, 1500, shape)
        middle = int(numbers.mean()) * weight.sum(axis=(1, 2, 3), dtype=np.int64) >> regs.WORD_SHIFT
        thresholds = (middle[:, None] + np.arange(-127, 128)).astype(np.int32)
        layer = WordConv("words", shape, unsigned, weight, thresholds)
        driver, _ = loaded([layer])
        with driver:
            driver.run(numbers)
            expected = compare(driver, [layer], numbers)
        assert len(np.unique(expected)) > 50


def corner(weight_bit, level) -> Conv:
    """All weights 256 or -256, the largest ones of 8 bits, doubled; one threshold."""
    weight = np.full((9, 17, 3, 3, 96), weight_bit, np.uint8)
    thresholds = np.full((17, 1), level, np.int32)
    coefficients = random_networks.coefficients_of(8)
    return Conv("corner", (5, 5, 96), 8, weight, thresholds, coefficients)


@pytest.mark.parametrize("weight_bit", [0, 1])
@pytest.mark.parametrize("tie", [-1, 0, 1])
def test_largest_sums_and_ties(weight_bit, tie):
    extreme = 256 * 3 * 3 * 96 * 255 * (1 if weight_bit else -1)
    layer = corner(weight_bit, extreme + tie)
    codes = np.full(layer.in_shape, 255)
    driver, _ = loaded([layer])
    with driver:
        driver.run(codes)
        out = compare(driver, [layer], codes)
        assert (out == (tie <= 0)).all()


PRECISIONS = {  # coefficients of the weight planes, activation bits, passes, exponent
    "W1A1": ((1,), 1, 1, 0),
    "W1A8": ((1,), 8, 1, 0),
    "W8A1": (random_networks.coefficients_of(8), 1, 9, 7),
    "W8A8": (random_networks.coefficients_of(8), 8, 9, 7),
    "W4A4": (random_networks.coefficients_of(4), 4, 5, 3),
    "W2A8": (random_networks.coefficients_of(2), 8, 3, 1),
    "W8A2": (random_networks.coefficients_of(8), 2, 9, 7),
    "ternary": ((1, 1), 3, 2, 0),
    "odd weights of 8 bits": ((128, 64, 32, 16, 8, 4, 2, 1), 3, 8, 7),
    "most passes": ((128,) * 9, 8, 12, 10),
}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("levels", [None, 15])
def test_precisions(precision, levels, seed):
    """Random, smallest and largest weights and codes; products as many as passes and planes."""
    coefficients, bits, passes, exponent = PRECISIONS[precision]
    rng = np.random.default_rng(seed)
    options = {"in_bits": bits, "levels": levels, "coefficients": coefficients, "name": "layer"}
    layer = random_networks.random_conv(rng, (4, 5, 11), 20, (2, 3), padding=(1,) * 4, **options)
    layer.weight[:, 0], layer.weight[:, 1] = 0, 1
    driver, board = loaded([layer], IDEAL)
    with driver:
        program = driver.layout.program
        get = CommandList(program.image, program.commands).get
        assert (get("passes")[0], get("exponent")[0]) == (passes, exponent)
        for codes in random_networks.random_codes(rng, layer, 4):
            driver.run(codes)
            compare(driver, [layer], codes)
        assert_untouched(driver, board)
        program = driver.layout.program
        (wide,) = CommandList(program.image, program.commands).get("wide_sums")
        groups, tiles = -(-25 // (driver.capabilities.pixels // (1 + int(wide)))), 2
        # of kernel rows, each one word
        assert driver.account()[0].busy == bits * passes * 2 * groups * tiles


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("rows", [1, 7, 8, 15, 16])
def test_kernels_and_strides(rows, stride, seed):
    """Padding of all rows but one; the whole map in the window buffer, and a ring of its rows."""
    rng = np.random.default_rng(seed)
    options = {"stride": stride, "padding": (rows - 1, 2, rows - 1, 1), "in_bits": 2}
    for shape in ((17, 5, 3), (40, 20, 32)):
        layer = random_networks.random_conv(rng, shape, 17, (rows, 3), **options)
        driver, board = loaded([layer])
        with driver:
            codes = rng.integers(0, 4, shape)
            driver.run(codes)
            compare(driver, [layer], codes)
            assert_untouched(driver, board)
            program = driver.layout.program
            ring = CommandList(program.image, program.commands).get("reload")[0]
            assert ring == (shape[0] == 40)


def small_network(rng):
    return [
        random_networks.random_conv(rng, (9, 9, 6), 34, (3, 3), name="a", padding=(1, 1, 1, 1)),
        random_networks.random_conv(rng, (9, 9, 34), 20, (3, 3), name="b", groups=2, levels=1),
        random_networks.random_conv(rng, (7, 7, 20), 5, (7, 7), name="c", in_bits=1, levels=None),
    ]


def place_of_map(driver, layer):
    """The address of what a layer writes."""
    return driver.buffers[1].address + driver.layout.maps[layer]


def change_command(driver, index, name, value):
    """Writes a field of a command in memory, after what the driver keeps there."""
    beat, lowest, width = regs.COMMAND[name]
    read, place = driver.buffers[0], 64 * index + 8 * beat
    word = int(read.array[place : place + 8].view("<u8")[0])
    word = word & ~(((1 << width) - 1) << lowest) | value << lowest
    read.array[place : place + 8] = np.array([word], "<u8").view(np.uint8)
    read.flush(place, place + 8)


@pytest.fixture
def running(seed):
    """A small network in memory, its codes, and a check that it still runs well."""
    rng = np.random.default_rng(seed)
    layers = small_network(rng)
    codes = rng.integers(0, 4, layers[0].in_shape)
    driver, board = loaded(layers)

    def runs_well():
        driver.quiet()
        driver.run(codes)
        compare(driver, layers, codes)
        assert_untouched(driver, board)

    with driver:
        driver.put(codes)
        yield driver, board.engine, runs_well


def ended(driver, engine, most_cycles=400_000):
    """Status at the interrupt."""
    engine.clocks(most_cycles)
    return driver.status()


def assert_ends(driver, engine, code, index):
    status = ended(driver, engine)
    assert (status.code, status.index, status.error, status.done) == (code, index, True, False)
    assert not status.busy
    assert engine.count("pending") == 0
    before = engine.count("read_beats"), engine.count("write_beats")
    engine.write(regs.STATUS, 0b1110)  # takes the interrupt away: the clock below runs on
    engine.clocks(1000)
    assert (engine.count("read_beats"), engine.count("write_beats")) == before


def test_identity_and_capabilities(running):
    driver, engine, _ = running
    assert engine.read(regs.ID) == int.from_bytes(b"QNN1", "big")
    assert driver.capabilities == Capabilities(
        pe=16, pixels=2, weight_words=256, threshold_words=256, window_words=512, pool_columns=64
    )


KEPT = {  # bits that a register keeps, and those that it gives as ones
    regs.IRQ_ENABLE: (1, 0),
    regs.LIST_ADDRESS: (2**32 - 1, 0),
    regs.LIST_COUNT: (255, 0),
    regs.TIMEOUT: (2**32 - 1, 0),
    **dict.fromkeys((regs.READ_BASE, regs.WRITE_BASE), (2**32 - 128, 0)),
    **dict.fromkeys((regs.READ_LAST, regs.WRITE_LAST), (2**32 - 128, 127)),
}
READ_ONLY = (
    regs.ID, regs.VERSION, regs.LANES, regs.STORES, regs.LIMITS, regs.SHAPES, regs.MEMORY,
    regs.FEATURES, regs.CYCLES,
)  # fmt: skip


def test_registers_keep_the_bytes_that_are_written(running, seed):
    _, engine, runs_well = running
    rng = np.random.default_rng(seed)
    values = {address: engine.read(address) for address in KEPT}
    for _ in range(600):
        address, value = int(rng.choice(list(KEPT))), 1 << int(rng.integers(33))
        value = (value - int(rng.integers(2))) % 2**32  # one bit, or all bits below
        strobes = int(rng.choice([0b1111, int(rng.integers(16))]))
        engine.write(address, value, strobes)
        kept, ones = KEPT[address]
        written = sum(255 << 8 * i for i in range(4) if strobes >> i & 1)
        values[address] = values[address] & ~written | value & kept & written | ones
        assert engine.read(address) == values[address], hex(address)
    assert {address: engine.read(address) for address in KEPT} == values
    runs_well()


def test_no_other_register(running):
    _, engine, runs_well = running
    runs_well()
    known = {address: engine.read(address) for address in (*KEPT, *READ_ONLY, regs.STATUS)}
    account = {regs.PERF + 32 * i + 4 * k for i in range(4) for k in range(5)}
    assert all(engine.read(address) for address in account if address % 32 < 8)
    for address in range(0, 4096, 4):
        if address in known or address == regs.CTRL or address in account:
            continue
        engine.write(address, 2**32 - 1)
        of_other_commands = regs.PERF + 32 * 4 <= address < regs.PERF + 32 * 64
        assert of_other_commands or engine.read(address) == 0, hex(address)
    for address in READ_ONLY:
        engine.write(address, 2**32 - 1)
    assert {address: engine.read(address) for address in known} == known
    runs_well()


def test_resident_weights(running):
    driver, engine, runs_well = running
    driver.start(resident=True)
    assert_ends(driver, engine, "NOT_RESIDENT", 0)
    runs_well()
    assert driver.status().resident
    beats, program = engine.count("read_beats"), driver.layout.program
    driver.run(np.zeros((9, 9, 6), int), resident=True)
    weights = len(program.image) // 8 - program.commands * 8
    assert engine.count("read_beats") - beats < weights
    assert driver.status().resident
    runs_well()


def test_start_while_busy_is_refused(running):
    driver, engine, runs_well = running
    driver.start()
    engine.clocks(200)
    engine.write(regs.CTRL, START)
    assert driver.status().refused and driver.status().busy
    assert ended(driver, engine).done
    engine.write(regs.STATUS, 0b1110)
    assert not driver.status().refused
    runs_well()


@pytest.mark.parametrize("after", [0, 3, 40, 150, 400, 900, 1300])
def test_abort_at_any_moment(running, after):
    driver, engine, runs_well = running
    driver.start()
    engine.clocks(after)
    engine.write(regs.CTRL, ABORT)
    status = ended(driver, engine, 2000)
    assert (status.code, status.error, status.busy) == ("ABORTED", True, False)
    assert engine.count("pending") == 0
    engine.write(regs.STATUS, 0b1110)
    runs_well()


@pytest.mark.parametrize("after", [0, 3, 40, 150, 400, 900, 1300])
def test_soft_reset_at_any_moment(running, after):
    driver, engine, runs_well = running
    driver.start()
    engine.clocks(after)
    engine.write(regs.CTRL, RESET)
    engine.clocks(500)
    status = driver.status()
    assert not (status.busy or status.done or status.error)
    assert engine.count("pending") == 0
    runs_well()


def test_abort_of_nothing(running):
    driver, engine, runs_well = running
    engine.write(regs.CTRL, ABORT)
    engine.clocks(50)
    assert not driver.status().error
    runs_well()


def test_read_error(running):
    driver, engine, runs_well = running
    engine.fail(bad_read=driver.buffers[0].address)
    driver.start()
    assert_ends(driver, engine, "READ_RESPONSE", 0)
    engine.fail(bad_read=place_of_map(driver, 0))  # the input of commands 1 and 2
    driver.start()
    assert_ends(driver, engine, "READ_RESPONSE", 1)
    engine.fail()
    runs_well()


def test_write_error(running):
    driver, engine, runs_well = running
    for layer, command in ((0, 0), (2, 3)):
        engine.fail(bad_write=place_of_map(driver, layer))
        driver.start()
        assert_ends(driver, engine, "WRITE_RESPONSE", command)
    engine.fail()
    runs_well()


def test_windows_stop_every_access(running):
    driver, engine, runs_well = running
    read, write = driver.buffers
    for layer in (1, 0):  # a command each
        at = place_of_map(driver, layer)
        engine.memory[at : at + 64] = POISON
        engine.write(regs.WRITE_LAST, at - 1)
        driver.start()
        assert_ends(driver, engine, "WRITE_WINDOW", layer)
        assert (engine.memory[at : at + 64] == POISON).all()
    engine.write(regs.WRITE_LAST, write.address + len(write.array) - 1)
    engine.write(regs.READ_BASE, read.address + 128)
    driver.start()
    assert_ends(driver, engine, "READ_WINDOW", 0)
    engine.write(regs.READ_BASE, read.address)
    engine.write(regs.READ_LAST, read.address + 511)
    driver.start()
    assert_ends(driver, engine, "READ_WINDOW", 0)
    runs_well()


@pytest.mark.parametrize("bit", range(18, 32))
def test_no_address_leaves_the_windows(bit, seed):
    """Each bit above the size of the buffers decides, one way and the other."""
    layers = small_network(np.random.default_rng(seed))
    for base in PLACES[1:]:
        board = SimulatedBoard(CONFIGURATION, MEMORY, base=base)
        with Driver(board) as driver:
            driver.load(layers)
            (read, write), commands = driver.buffers, driver.layout.program.commands
            list_of = CommandList(driver.layout.image(read.address, write.address), commands)
            for name, code in (
                ("in_address", "READ_WINDOW"),
                ("params_address", "READ_WINDOW"),
                ("out_address", "WRITE_WINDOW"),
            ):
                driver.refresh()
                wild = int(list_of.get(name)[2]) ^ 1 << bit
                change_command(driver, 2, name, wild)
                driver.start()
                assert_ends(driver, board.engine, code, 2)
            assert board.violations == 0


def test_dead_memory_times_out_and_recovers(running):
    driver, engine, runs_well = running
    engine.write(regs.TIMEOUT, 2000)
    driver.start()
    engine.clocks(600)
    engine.fail(dead=True)
    status = ended(driver, engine, 10_000)
    assert (status.code, status.error, status.busy) == ("TIMED_OUT", True, True)
    engine.write(regs.CTRL, START)
    assert driver.status().refused
    engine.fail()  # the memory answers again: the bus becomes quiet
    engine.write(regs.STATUS, 0b1110)
    engine.clocks(2000)
    assert not driver.status().busy
    assert engine.count("pending") == 0
    runs_well()


def test_each_beat_that_comes_is_progress(seed):
    """Of a memory that is slow to begin, a burst ends later than a memory that is silent would."""
    rng = np.random.default_rng(seed)
    layer = random_networks.random_conv(rng, (6, 6, 64), 32, (3, 3), in_bits=2)
    model = MemoryModel(latency=200, period=2, shared=False)
    driver, board = loaded([layer], model)
    with driver:
        board.write(regs.TIMEOUT, model.latency + 4)
        driver.start()
        assert ended(driver, board.engine, 100_000).code == "NONE"
        board.write(regs.TIMEOUT, model.latency - 4)
        driver.start()
        assert ended(driver, board.engine, 100_000).code == "TIMED_OUT"


def test_reset_while_the_memory_is_dead(running):
    """It stays silent, also after TIMEOUT cycles, and busy until the memory has answered."""
    driver, engine, runs_well = running
    engine.write(regs.TIMEOUT, 500)
    driver.start()
    engine.clocks(600)
    engine.fail(dead=True)
    engine.clocks(100)
    engine.write(regs.CTRL, RESET)
    assert engine.clocks(3000) == 3000, "an interrupt"
    status = driver.status()
    assert (status.busy, status.ended) == (True, False)
    engine.fail()
    engine.clocks(2000)
    status = driver.status()
    assert (status.busy, status.ended) == (False, False)
    assert engine.count("pending") == 0
    runs_well()


@pytest.mark.parametrize("count", [0, 65, 255])
def test_bad_list(running, count):
    driver, engine, runs_well = running
    engine.write(regs.LIST_COUNT, count)
    engine.write(regs.CTRL, START)
    assert_ends(driver, engine, "BAD_LIST", 0)
    runs_well()


BAD_FIELDS = [  # of a command that reads blocks; a name stands for the value of that field
    ("opcode", 0), ("planes", 0), ("planes", 9), ("passes", 0), ("exponent", 1), ("kernel_rows", 0),
    ("kernel_rows", 17), ("stride", 0), ("stride", 5), ("words", 0), ("window_nibbles", 0),
    ("in_rows", 0), ("in_columns", 0), ("conv_rows", 0), ("conv_columns", 0), ("out_rows", 0),
    ("out_columns", 0), ("pool_size", 0), ("pool_stride", 0), ("pool_stride", 3),
    ("pool_top", 1), ("pool_left", 1), ("walk_rows", 1),
    ("walk_columns", 1), ("thresholds", 0), ("out_planes", 0), ("out_planes", 9), ("tiles", 0),
    ("tile_words", 0), ("tile_words", 257), ("plane_words", 0), ("row_words", 0), ("row_beats", 0),
    ("ring_words", 513), ("ring_words", 1), ("ring_rows", 1), ("ring_start", "ring_words"),
    ("pass_step", "ring_words"), ("stride_words", "ring_words"), ("blocks", 0), ("first_skip", 2),
    ("block_used", 0), ("block_used", 3), ("last_bytes", 0), ("last_bytes", 3), ("pixel_bytes", 0),
    ("index", 9), ("in_address", 4), ("block_bytes", 2), ("params_address", 1), ("out_address", 4),
    ("word_products", 1), ("word_unsigned", 1), ("requantise", 1), ("wide_sums", 1),
]  # fmt: skip
BAD_ELSEWHERE = [  # two of a command that reads tight rows, three of a raw one
    (0, "row_beats", 1), (0, "drop_lowest", 1), (3, "thresholds", 1), (3, "pool_size", 2),
    (3, "requantise", 1), (3, "short_sums", 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("index", "name", "value"), [*((2, *field) for field in BAD_FIELDS), *BAD_ELSEWHERE]
)
def test_bad_command_is_found_before_any_other_access(running, index, name, value):
    driver, engine, runs_well = running
    if isinstance(value, str):
        program = driver.layout.program
        value = int(CommandList(program.image, program.commands).get(value)[index])
    change_command(driver, index, name, value)
    driver.start()
    assert_ends(driver, engine, "BAD_COMMAND", index)
    assert engine.count("read_beats") == driver.layout.program.commands * regs.COMMAND_BEATS
    runs_well()


def test_random_commands_end(running, seed):
    """Whatever the list holds, the run ends, within the windows, and the engine is well after."""
    driver, engine, runs_well = running
    rng = np.random.default_rng(seed)
    fields = list(regs.COMMAND)
    for _ in range(60):
        driver.refresh()
        engine.write(regs.TIMEOUT, 3000)
        for _ in range(int(rng.integers(1, 4))):
            name = fields[rng.integers(len(fields))]
            index = int(rng.integers(driver.layout.program.commands))
            change_command(driver, index, name, int(rng.integers(1 << regs.COMMAND[name][2])))
        driver.start()
        engine.clocks(20_000)
        if driver.status().busy and not driver.status().error:
            engine.write(regs.CTRL, ABORT)
            engine.clocks(2000)
        status = driver.status()
        assert status.done or status.error
        assert not status.busy
    runs_well()


def test_account(running):
    driver, _, runs_well = running
    runs_well()
    account = driver.account()
    assert [a.name for a in account] == ["a", "b/0", "b/1", "c"]
    # planes * words of a tile * groups of pixels * tiles: with the rows of a window side by side
    # all its nibbles fit into one word
    assert account[0].busy == 2 * 1 * 41 * 4
    # three rows of a word each
    assert account[1].busy == 2 * 3 * 2 * 25


PER_TILE = ("tile_words", "thresholds")  # words of the rings


@pytest.mark.parametrize("what", LARGEST)
def test_largest(what, seed):
    """As many of something as there can be; of rows, counted over all tiles, more than 2**15."""
    rng = np.random.default_rng(seed)
    layers = largest(rng, what)
    driver, board = loaded(layers, IDEAL)
    with driver:
        for _ in range(2):  # with parameters of the first run, where they fit
            codes = rng.integers(0, 2 ** layers[0].in_bits, layers[0].in_shape)
            cycles = driver.run(codes).cycles
            compare(driver, layers, codes)
            assert_untouched(driver, board)
            assert_account(driver, cycles, IDEAL)
        program, caps = driver.layout.program, driver.capabilities
        get = CommandList(program.image, program.commands).get
        weights, thresholds = (int((get("tiles") * get(n)).sum()) for n in PER_TILE)
        fit = weights <= caps.weight_words and thresholds <= caps.threshold_words
        assert driver.status().resident == fit


def test_error_in_weights_names_their_command(seed):
    layers = largest(np.random.default_rng(seed), "commands")
    driver, board = loaded(layers)
    with driver:
        (read, write), commands = driver.buffers, driver.layout.program.commands
        image = driver.layout.image(read.address, write.address)
        addresses = CommandList(image, commands).get("params_address").tolist()
        driver.put(np.zeros(layers[0].in_shape, int))
        for index in range(0, commands, 3):
            board.engine.fail(bad_read=addresses[index])
            driver.start()
            assert_ends(driver, board.engine, "READ_RESPONSE", index)


WAITS = {  # where there is more to read or to write than to multiply
    "wait_weights": ((1, 1, 64), 1024, (1, 1), {"levels": 1}),
    "wait_input": ((32, 16, 64), 1, (1, 1), {"in_bits": 8, "levels": 1}),
    "wait_output": ((16, 32, 1), 16, (1, 1), {"in_bits": 1, "levels": None}),
}


@pytest.mark.parametrize("what", WAITS)
def test_account_tells_what_was_waited_for(what, seed):
    rng = np.random.default_rng(seed)
    shape, outputs, kernel, options = WAITS[what]
    layer = random_networks.random_conv(rng, shape, outputs, kernel, **options)
    driver, _ = loaded([layer], MemoryModel(latency=10, period=2))
    with driver:
        driver.run(rng.integers(0, 2**layer.in_bits, layer.in_shape))
        account = dataclasses.asdict(driver.account()[0])
        assert account[what] > 0.7 * account["cycles"]
        assert sum(account[other] for other in WAITS if other != what) < 0.03 * account["cycles"]


def test_each_cycle_of_latency_costs_as_much_as_the_others(seed):
    """A command ends with its last answer, not some cycles later."""
    rng = np.random.default_rng(seed)
    layer = random_networks.random_conv(rng, (2, 2, 4), 4, (1, 1))
    driver, board = loaded([layer])
    with driver:
        codes = rng.integers(0, 4, layer.in_shape)
        driver.run(codes)
        taken = []
        for latency in range(1, 20):
            board.engine.model(MemoryModel(latency, 0, False))
            taken.append(driver.run(codes, resident=True).cycles)
        assert len(set(np.diff(taken).tolist())) == 1, taken


@pytest.mark.parametrize("latency", [1, 40, 300])
@pytest.mark.parametrize("rows", [10, 20])  # two maps of them fit the window buffer, or do not
def test_the_next_map_is_read_ahead_but_not_before_it_is_written(rows, latency, seed):
    rng = np.random.default_rng(seed)
    shapes = [(rows - 2 * i, 12 - 2 * i, 24) for i in range(3)]
    layers = [
        random_networks.random_conv(rng, shape, 24, (3, 3), name=f"l{i}")
        for i, shape in enumerate(shapes)
    ]
    driver, board = loaded(layers, MemoryModel(latency, 0, False))
    with driver:
        program = driver.layout.program
        ring = CommandList(program.image, program.commands).get("ring_words")
        codes = rng.integers(0, 4, layers[0].in_shape)
        driver.run(codes)
        driver.run(codes, resident=True)
        compare(driver, layers, codes)
        assert_untouched(driver, board)
        half = driver.capabilities.window_words // 2
        assert (ring[0] <= half) == (rows == 10) and (ring[1:] <= half).all()
        if (rows, latency) == (20, 40):  # long enough to be read in
            assert driver.account()[2].wait_input < latency, "the last map was not read ahead"


@pytest.mark.parametrize("levels", [1, 15, 200])
def test_thresholds_cost_what_the_readme_says(levels, seed):
    rng = np.random.default_rng(seed)
    layer = random_networks.random_conv(rng, (12, 12, 4), 16, (1, 1), in_bits=1, levels=levels)
    driver, _ = loaded([layer], IDEAL)
    with driver:
        driver.run(rng.integers(0, 2, layer.in_shape))
        products = int(estimate.products(driver.layout.program, driver.capabilities).sum())
        account = driver.account()[0]
        cycles = account.cycles - account.wait_weights
        assert products <= cycles <= products + command_cycles.BETWEEN


@pytest.mark.parametrize("base", [1 << bit for bit in range(12, 32)])
def test_memory_at_any_address(base, seed):
    rng = np.random.default_rng(seed)
    layers = small_network(rng)
    codes = rng.integers(0, 4, layers[0].in_shape)
    board = SimulatedBoard(CONFIGURATION, MEMORY, base=base)
    with Driver(board) as driver:
        driver.load(layers)
        driver.run(codes)
        compare(driver, layers, codes)
        assert driver.buffers[0].address > base
        assert board.untouched() and board.violations == 0


def test_status_stays(running):
    driver, engine, runs_well = running
    runs_well()
    driver.put(np.zeros((9, 9, 6), int))
    driver.start()
    engine.clocks(300)
    engine.write(regs.CTRL, ABORT)
    ended(driver, engine)
    for cycles in range(8):
        code, index = list(dict(regs.ERRORS)).index("ABORTED"), driver.status().index
        assert engine.read(regs.STATUS) >> 5 == (index << 11 | code << 3), cycles
        engine.write(regs.IRQ_ENABLE, 0)
        engine.clocks(cycles)
        engine.write(regs.IRQ_ENABLE, 1)


def test_what_does_not_fit_is_refused():
    rng = np.random.default_rng(0)
    tall = random_networks.random_conv(rng, (17, 4, 4), 4, (17, 1))
    with pytest.raises(QnnError, match="17 kernel rows"):
        compile_layers([tall])
    with pytest.raises(QnnError, match="multiple of 4096"):
        compile_layers([tall], base=64)
    with pytest.raises(QnnError, match="does not fit the 3 bits"):
        encode({"stride": 8})
