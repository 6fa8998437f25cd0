"""How what jobs tell looks on a page."""

from django import template

from apps.gpucloud import shown

register = template.Library()
register.filter("series", shown.series_name)
