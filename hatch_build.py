from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebConsole(BuildHookInterface):
    pass
