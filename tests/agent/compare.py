# compare.py CHARTS.json PRINTED PLAN DOCUMENTED NAMING: the agent's view of the charts is what the plugin has printed, and
# what is documented. CHARTS.json is /api/v1/charts of the agent, or of its parent for it.
import json, shlex, sys

charts = json.load(open(sys.argv[1]))["charts"]
wrong = []

def same(what, ours, theirs):
    if ours != theirs: wrong.append(f"{what}: the agent has {theirs!r}, wanted is {ours!r}")

def shown_title(title, id):  # as the agent shows it
    return f"{title} ({id})"

printed, chart = {}, None
for line in open(sys.argv[2]):
    if not line.startswith(("CHART ", "DIMENSION ", "CLABEL ")): continue
    words = shlex.split(line)[1:]
    if line.startswith("CHART "):
        chart = printed.setdefault(words[0], {"dimensions": {}, "labels": {}})
        chart["words"] = words
    elif line.startswith("DIMENSION "):
        chart["dimensions"][words[0]] = words[1]
        if "obsolete" in words[5:]: del chart["dimensions"][words[0]]
    else:
        chart["labels"][words[0]] = words[1]

shown = {id: chart for id, chart in printed.items() if "obsolete" not in chart["words"][9]}
same("the charts", sorted(shown), sorted(id for id, c in charts.items() if c["plugin"] == "ebpf.plugin"))
for id, ours in shown.items():
    theirs = charts.get(id)
    if not theirs: continue
    _, name, title, units, family, context, type, priority, every, _, plugin, module = ours["words"]
    same(f"title of {id}", shown_title(title, id), theirs["title"])
    for what, word in dict(units=units, family=family, context=context, chart_type=type, priority=int(priority),
                           update_every=int(every), plugin=plugin, module=module).items():
        same(f"{what} of {id}", word, theirs[what])
    same(f"dimensions of {id}", ours["dimensions"], {d: v["name"] for d, v in theirs["dimensions"].items()})
    same(f"labels of {id}", {**ours["labels"], "_collect_plugin": plugin, "_collect_module": module}, theirs["chart_labels"])

attached = {line.split()[0] for line in open(sys.argv[3]) if line.strip() and line.split()[1] != "-"}
tried = 0
for line in open(sys.argv[4]):
    if line.startswith("#"): continue
    naming, id, title, units, family, type, priority, dimensions, hooks = line.rstrip("\n").split("\t")
    if naming != sys.argv[5]: continue
    theirs = charts.get(id)
    if not attached & set(hooks.split()):
        same(f"{id}, which is not counted", None, theirs)
        continue
    if not theirs:
        wrong.append(f"{id} is not there")
        continue
    tried += 1
    same(f"documented title of {id}", shown_title(title, id), theirs["title"])
    for what, word in dict(units=units, family=family, chart_type=type, priority=int(priority)).items():
        same(f"documented {what} of {id}", word, theirs[what])
    have = {d: v["name"] for d, v in theirs["dimensions"].items()}
    for pair in dimensions.split():
        dimension, name = pair.split("=")
        same(f"dimension {dimension} of {id}", name, have.get(dimension))

if len(shown) < 20 or tried < 20: wrong.append(f"only {len(shown)} charts, {tried} documented ones")
print(*wrong, sep="\n")
sys.exit(bool(wrong))
