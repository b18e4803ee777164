"""Runs inside the Hadoop installation: one Java process, in which Hive's own command line runs script after script.

Answers requests, one JSON object on each line of its input. What Java prints goes to standard error.
"""

import json
import os
import sys
from pathlib import Path

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway  # noqa: E402


def started(java, options, classpath):
    """The Java virtual machine, which ends with this process."""
    port = launch_gateway(
        java_path=java,
        javaopts=options,
        classpath=classpath,
        die_on_exit=True,
        redirect_stdout=sys.stderr,
        redirect_stderr=sys.stderr,
    )
    return JavaGateway(gateway_parameters=GatewayParameters(port=port))


def array(kind, items):
    made = gateway.new_array(kind, len(items))
    for index, item in enumerate(items):
        made[index] = item
    return made


def compile_java(files, folder):
    """Compiles source files into a folder of the class path, before a class of theirs is first asked for."""
    compiler = java.org.codehaus.janino.Compiler()
    compiler.setDestinationDirectory(java.java.io.File(folder), False)
    compiler.compile(array(java.java.io.File, [java.java.io.File(file) for file in files]))
    return {"classes": sorted(str(file.relative_to(folder)) for file in Path(folder).rglob("*.class"))}


def hive(arguments):
    """Runs `hive` with some arguments: its exit code."""
    # The command line runs in a loader that jars can be added to, as the shell script `hive` has it by `hadoop jar`.
    loader = java.java.net.URLClassLoader(array(java.java.net.URL, []))
    java.java.lang.Thread.currentThread().setContextClassLoader(loader)
    return {"code": java.org.apache.hadoop.hive.cli.CliDriver().run(array(java.java.lang.String, arguments))}


gateway = started(**json.loads(sys.argv[1]))
java = gateway.jvm
for line in sys.stdin:
    request = json.loads(line)
    answer = {"compile": compile_java, "hive": hive}[request.pop("what")](**request)
    answers.write(f"{json.dumps(answer)}\n")
    answers.flush()
