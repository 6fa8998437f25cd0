"""Forms made from a job kind's `Params`: simple and expert, with units, ranges, help and errors beside the field."""

from apps.core.paramforms.form import ParamsForm

__all__ = ["ParamsForm"]
