"""Tells mypy of ``df.reportflow`` on every pandas frame: ``plugins = ["reportflow_pandas.mypy_plugin"]``."""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import TypeInfo
from mypy.plugin import AttributeContext, Plugin
from mypy.types import Instance, Type

__all__ = ["plugin"]

ACCESSOR = "reportflow_pandas.accessor.ReportFlowAccessor"


class _ReportFlowPlugin(Plugin):
    """Answers for one attribute of ``pandas.DataFrame``."""

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Return what finds the type of ``DataFrame.reportflow``, for any class of frames."""
        return self._accessor if fullname.endswith("DataFrame.reportflow") else None

    def _accessor(self, context: AttributeContext) -> Type:
        """Return the accessor's type where this package is imported, else what pandas' stubs say."""
        found = self.lookup_fully_qualified(ACCESSOR)
        if found is not None and isinstance(found.node, TypeInfo):
            return Instance(found.node, [])
        return context.default_attr_type


def plugin(version: str) -> type[Plugin]:  # noqa: ARG001 - mypy asks with its version
    """Return the plugin's class, as mypy asks for it."""
    return _ReportFlowPlugin
