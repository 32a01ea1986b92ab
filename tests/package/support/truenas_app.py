"""Reads the files of a TrueNAS app, and renders its compose file, as TrueNAS does.

truenas_app.py FOLDER        prints its YAML files as one JSON
truenas_app.py FOLDER VALUES prints the compose file that is made with values (JSON), to which ix_values.yaml is added
"""
import json
import pathlib
import sys

import jinja2
import yaml


def read(path):
    return yaml.safe_load(path.read_text())


folder = pathlib.Path(sys.argv[1])
if len(sys.argv) == 2:
    names = [path for path in folder.glob("**/*.yaml") if path.name != "docker-compose.yaml"]
    print(json.dumps({str(path.relative_to(folder)): read(path) for path in names}, default=str))
else:
    values = json.loads(sys.argv[2]) | read(folder / "ix_values.yaml")
    extensions = ["jinja2.ext.do", "jinja2.ext.loopcontrols", "jinja2.ext.debug"]
    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(folder / "templates"), extensions=extensions)
    text = templates.get_template("docker-compose.yaml").render({"ix_lib": {}, "values": values})
    print(json.dumps({"text": text, "compose": yaml.safe_load(text)}))
