# parent.py PORT FILE CALL…: a parent for one streaming child, as plain as the protocol allows: what the child sends goes to
# FILE; once it has sent the value of a chart, each CALL of a function is made and its result printed, a line of JSON each:
# {"status", "type", "body"}.
import json, shlex, socket, sys, time

server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
server.settimeout(20)
child, _ = server.accept()
child.settimeout(20)
text = child.makefile("r", encoding="utf-8", errors="surrogateescape", newline="\n")
while text.readline().strip(): pass
# Capabilities: negotiation, host labels, claims, chart labels, functions; neither compression nor replication.
child.sendall(b"Hit me baby, push them over with the version=3008")
calls, waiting, result = sys.argv[3:], None, None
until = time.monotonic() + 30
with open(sys.argv[2], "w", encoding="utf-8", errors="surrogateescape") as out:
    while (waiting or calls) and time.monotonic() < until:
        line = text.readline()
        if not line: sys.exit("the child has gone")
        if result is not None:
            if line == "FUNCTION_RESULT_END\n":
                print(json.dumps(result), flush=True)
                result = waiting = None
            else:
                result["body"] += line
        elif waiting and line.startswith("FUNCTION_RESULT_BEGIN "):
            _, _, status, type, _ = shlex.split(line)
            result = {"status": int(status), "type": type, "body": ""}
        else:
            out.write(line)
            out.flush()
            if line.startswith("END") and calls and not waiting:
                waiting = f"call{len(calls)}"
                child.sendall(f'FUNCTION {waiting} 10 "{calls.pop(0)}"\n'.encode())
sys.exit("not answered" if waiting or calls else 0)
