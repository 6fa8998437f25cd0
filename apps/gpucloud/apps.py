from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GpucloudConfig(AppConfig):
    name = "apps.gpucloud"
    label = "gpucloud"
    verbose_name = _("GPU Cloud")

    def ready(self) -> None:
        from apps.core import artefact_types, commands, lineage, navigation
        from apps.core import dashboard as core_dashboard
        from apps.core import notices as core_notices
        from apps.core.services import collecting
        from apps.gpucloud import dashboard, notices
        from apps.gpucloud.handlers import register
        from apps.gpucloud.jobs import GpucloudHandler, describe_jobs, find_jobs, start_commands
        from apps.gpucloud.lineage import JOBS
        from apps.gpucloud.services import attempts

        register(GpucloudHandler())
        collecting.register_names(attempts.NAMES)
        for event in notices.EVENTS:
            core_notices.register(*event)
        navigation.register(
            area="gpucloud", label=_("GPU Cloud"), url_name="gpucloud:node_list", icon="server", order=80
        )
        navigation.register(
            area="jobs", label=_("Jobs"), url_name="gpucloud:job_list", icon="list-checks", order=10, tool=True
        )
        artefact_types.register_jobs(describe_jobs)
        lineage.register(JOBS)
        navigation.register_search("jobs", find_jobs)
        commands.register("jobs", start_commands)
        core_dashboard.register_activity(dashboard.activity)
        navigation.register_card("running", template="gpucloud/_card_running.html", context=dashboard.running, order=10)
        core_dashboard.register_concerns("jobs", dashboard.concerns)
        core_dashboard.register_figures("jobs", dashboard.month)
