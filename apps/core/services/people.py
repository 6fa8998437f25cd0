"""What people choose for themselves."""

from django.conf import settings
from django.utils.translation import gettext_noop as _

from apps.core.errors import InvalidInput
from apps.core.models import User


def set_profile(user: User, name: str, language: str) -> None:
    check_language(language)
    User.objects.filter(pk=user.pk).update(name=name.strip(), language=language)


def set_language(user: User, language: str) -> None:
    check_language(language)
    User.objects.filter(pk=user.pk).update(language=language)


def check_language(language: str) -> None:
    known = [code for code, _name in settings.LANGUAGES]
    if language not in known:
        raise InvalidInput(_("AIFS does not speak this language; known are %(known)s."), known=", ".join(known))
