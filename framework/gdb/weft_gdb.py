"""Weft in gdb: the command `weft bt`, and how tasks, results, operations and lists are printed.

    (gdb) source .../share/weft/gdb/weft_gdb.py
    (gdb) weft bt

`weft bt` prints what weft::debug::print_tasks() would: for each loop of the program the tasks that nobody
awaits, and below each what it awaits. It reads memory and calls nothing, so it works on a stopped process
and on a core file alike. It needs a program built with WEFT_ASYNC_TRACE (CMake's Debug builds are) and with
debug information (-g).
"""

import re

import gdb
import gdb.printing

NEVER = (1 << 63) - 1


# ---- reading Weft's types

def type_named(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error as error:
        raise gdb.GdbError(f"no debug information about {name}: build with -g ({error})")


def hook_offset(owner, tag):
    """Where in `owner` the base list_hook<tag> lies, in bytes; None when it has none."""
    owner = owner.strip_typedefs()
    if owner.name == f"weft::list_hook<{tag}>":
        return 0
    if owner.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return None
    for field in owner.fields():
        if field.is_base_class:
            inside = hook_offset(field.type, tag)
            if inside is not None:
                return inside + field.bitpos // 8
    return None


def elements_of(intrusive_list):
    """The elements of a weft::intrusive_list<T, Tag>, as values of T."""
    kind = intrusive_list.type.strip_typedefs()
    element = kind.template_argument(0).strip_typedefs()
    tag = str(kind.template_argument(1).strip_typedefs())
    offset = hook_offset(element, tag)
    if offset is None:
        raise gdb.GdbError(f"no debug information about {element}: build with -g")
    byte = gdb.lookup_type("char").pointer()
    head = intrusive_list["head_"]
    at = head["next_"]
    while int(at) not in (0, int(head.address)):
        yield (at.cast(byte) - offset).cast(element.pointer()).dereference()
        at = at["next_"]


def text_of(view):
    """A std::string_view."""
    length = int(view["_M_len"])
    return view["_M_str"].string(length=length) if length else ""


def count_of(duration_or_time):
    value = duration_or_time
    if "__d" in [field.name for field in value.type.strip_typedefs().fields()]:
        value = value["__d"]
    return int(value["__r"])


# ---- names, as weft::debug::function_name() makes them

def opening_of(text, last):
    depth = 0
    for at in range(last, -1, -1):
        if text[at] == ")":
            depth += 1
        elif text[at] == "(":
            depth -= 1
            if depth == 0:
                return at
    return -1


def function_name(as_compiled):
    name = as_compiled
    if name.endswith("]") and " [" in name:
        name = name[:name.rindex(" [")]
    closing = name.rfind(")")
    parameters = opening_of(name, closing) if closing >= 0 else -1
    if parameters < 0:
        return name
    name = name[:parameters].replace("(anonymous namespace)::", "").replace("{anonymous}::", "")
    name = name.replace(" &", "&").replace(" *", "*").replace("(anonymous class)::operator()", "lambda")
    name = re.sub(r"<lambda\(.*?\)>::operator\(\)", "lambda", name)
    begin = depth = 0
    for at, letter in enumerate(name):
        if letter in "<(":
            depth += 1
        elif letter in ">)":
            depth -= 1
        elif letter == " " and depth == 0:
            begin = at + 1
    return name[begin:]


def short_path(path):
    return "/".join(path.split("/")[-2:])


# ---- the traces

class Wait:
    """A weft::traced::wait_note."""

    CALL = 1  # weft::traced::wait_type::call

    def __init__(self, note):
        kind = note["kind_"].dereference()
        self.is_call = int(kind["type"]) == self.CALL
        self.name = text_of(kind["name"])
        self.owner = int(note["owner_"]["key"])
        self.deadline = count_of(note["deadline_"])
        self.inner = note["inner_"]


class Task:
    """A weft::traced::record."""

    KINDS = ("", "fiber ", "generator ", "callback of ")  # by weft::traced::record_type

    def __init__(self, record, running):
        self.is_running = int(record.address) == running
        self.starter = int(record["starter_"]["key"])
        self.kind = self.KINDS[int(record["type_"])]
        self.name = record["name_"]["_M_elems"].string()
        place = record["where_"]["at_"]["_M_impl"]
        self.where = place.dereference() if int(place) else None
        self.waits = []
        note = record["awaits_"]
        while int(note):
            self.waits.append(Wait(note.dereference()))
            note = self.waits[-1].inner

    def head(self):
        text = self.kind + (f'"{self.name}": ' if self.name else "")
        if self.where is not None:
            function = function_name(self.where["_M_function_name"].string())
            text += f"{function} at {short_path(self.where['_M_file_name'].string())}:{int(self.where['_M_line'])}"
        else:
            text += "before its first wait"
        if not self.waits:
            text += ", running" if self.is_running else ", awaits what does not tell"
        return text

    def is_adapter(self):
        return self.where is None and bool(self.waits) and not self.name


class Forest:
    """The tasks of one loop, by who started them."""

    def __init__(self, registry, now):
        self.now = now
        self.tasks = [Task(record, int(registry["last_run_"])) for record in elements_of(registry["tasks_"])]
        self.by_starter = {}
        for task in self.tasks:
            self.by_starter.setdefault(task.starter, []).append(task)
        self.awaited = {wait.owner for task in self.tasks for wait in task.waits} - {0}

    def lines(self):
        for starter in sorted(self.by_starter):
            if starter not in self.awaited:
                for task in self.by_starter[starter]:
                    yield from self.lines_of_task(task, 0, "* ")

    def lines_of_task(self, task, indent, mark):
        if not task.is_adapter():
            yield " " * indent + mark + task.head()
            mark = "  "
        for wait in task.waits:
            if not wait.is_call:
                text = f"awaits {wait.name}"
                if wait.deadline != NEVER:
                    text += f", {(wait.deadline - self.now) / 1e9:.3f} s left"
                yield " " * indent + mark + text
                mark = "  "
            for child in self.by_starter.get(wait.owner, []) if wait.owner else []:
                yield from self.lines_of_task(child, indent + (0 if wait.is_call else 2),
                                              mark if wait.is_call else "* ")
            mark = "  "


def loops():
    """Each loop of the program: its registry, and its clock."""
    try:  # by its address: the library itself may be without debug information
        registry = gdb.parse_and_eval("*(weft::traced::registry**)&'weft::traced::registry::first'")
    except gdb.error:
        raise gdb.GdbError("no Weft in this program, or no debug information about it: build with -g")
    scheduler = type_named("weft::scheduler")
    place = [field for field in scheduler.fields() if field.name == "traces_"]
    if not place or "tasks_" not in [field.name for field in place[0].type.strip_typedefs().fields()]:
        raise gdb.GdbError("no account of tasks is kept: build with the CMake option WEFT_ASYNC_TRACE")
    byte = gdb.lookup_type("char").pointer()
    while int(registry):
        loop = (registry.cast(byte) - place[0].bitpos // 8).cast(scheduler.pointer()).dereference()
        yield registry.dereference(), loop
        registry = registry["next_"]


class WeftCommand(gdb.Command):
    """Commands for programs that are made with Weft."""

    def __init__(self):
        super().__init__("weft", gdb.COMMAND_STACK, prefix=True)


class WeftBacktrace(gdb.Command):
    """Print the suspended tasks of each loop: who awaits whom, where, for what, and until when."""

    def __init__(self):
        super().__init__("weft bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if argument:
            raise gdb.GdbError("weft bt takes no argument")
        found = False
        for registry, loop in loops():
            found = True
            now = count_of(loop["now_"])
            forest = Forest(registry, now)
            print(f"loop at {int(loop.address):#x}: {len(forest.tasks)} tasks at {now / 1e9:.3f} s")
            for line in forest.lines():
                print(line)
        if not found:
            print("no loop exists")


# ---- printers

def frame_text(frame):
    """What a coroutine handle's frame says: its function, and whether it has ended."""
    if not int(frame):
        return "empty"
    words = frame.cast(gdb.lookup_type("unsigned long").pointer())
    if int(words[0]) == 0:
        return "finished"
    symbol = gdb.execute(f"info symbol {int(words[0])}", to_string=True).split(" in section")[0]
    return re.sub(r"\s*\[clone .*|\s*\(\.resume\)|\s*\(\.actor\)|\.resume.*|\s*\+ \d+$", "", symbol.strip())


class TaskPrinter:
    """weft::task and weft::running_task."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        kind = self.value.type.strip_typedefs()
        if kind.code == gdb.TYPE_CODE_REF:
            kind = kind.target()
        return f"{kind} {{{frame_text(self.value['frame_']['_M_fr_ptr'])}}}"


class ResultPrinter:
    """weft::result: its value or its error."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        inside = self.value["state_"]
        if not bool(inside["m_has_val"]):
            error = inside["m_unexpect"]["m_val"]
            table = error["_M_cat"].cast(gdb.lookup_type("unsigned long").pointer()).dereference()
            category = re.search(r"vtable for (.*?) \+", gdb.execute(f"info symbol {int(table)}", to_string=True))
            return f"error {int(error['_M_value'])}" + (f" of {category.group(1)}" if category else "")
        try:
            return f"value {inside['m_val'].format_string()}"
        except gdb.error:
            return "success"


class OperationPrinter:
    """weft::operation: its phase."""

    PHASES = ("idle", "parked", "posted", "done")

    def __init__(self, value):
        self.value = value

    def to_string(self):
        phase = int(self.value["phase_"])
        text = self.PHASES[phase] if phase < len(self.PHASES) else f"phase {phase}"
        if bool(self.value["canceled_"]):
            text += ", canceled"
        if bool(self.value["refused_"]):
            text += ", refused"
        return f"operation, {text}"


class ListPrinter:
    """weft::intrusive_list: its elements, by address."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        count = sum(1 for _ in elements_of(self.value))
        return f"list of {count} {self.value.type.strip_typedefs().template_argument(0)}"

    def children(self):
        for index, element in enumerate(elements_of(self.value)):
            yield f"[{index}]", element.address

    def display_hint(self):
        return "array"


def register(objfile=None):
    printers = gdb.printing.RegexpCollectionPrettyPrinter("weft")
    printers.add_printer("task", "^weft::(running_)?task<.*>$", TaskPrinter)
    printers.add_printer("result", "^weft::result<.*>$", ResultPrinter)
    printers.add_printer("operation", "^weft::operation$", OperationPrinter)
    printers.add_printer("intrusive_list", "^weft::intrusive_list<.*>$", ListPrinter)
    gdb.printing.register_pretty_printer(objfile, printers, replace=True)
    WeftCommand()
    WeftBacktrace()


register()
