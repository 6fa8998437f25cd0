"""The parameters of a kind of job as YAML, for every form that is made of them."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from apps.core.models import Project
from apps.core.pages import project_page
from apps.core.paramforms import ParamsForm, as_yaml
from workers.kinds import kinds


@require_POST
@project_page("run_simple")
def params_yaml(request: HttpRequest, project: Project, kind: str) -> HttpResponse:
    """The form as it stands, with the `names` of its parameters: {"yaml"}. With `yaml` beside them what that text puts
    into the controls: {"controls": {name: text}, "problems": [{"line", "field", "message"}]}."""
    form = ParamsForm(kinds.get(kind), project, request.POST, actor=request.actor)  # type: ignore[attr-defined]
    names = [name for name in request.POST.getlist("names") if name in form.fields]
    if "yaml" not in request.POST:
        return JsonResponse({"yaml": as_yaml.write(form, names)})
    controls, problems = as_yaml.read(form, names, request.POST["yaml"])
    return JsonResponse({"controls": controls, "problems": problems})
