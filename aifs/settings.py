"""Every setting, each read from the environment and named in `.env.example`."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from aifs import environment as env

BASE_DIR = env.ROOT
AIFS_HOME: Path = env.HOME
env.load_stack_file()

# --- safety: nothing has a default password, key or secret

DEBUG = env.flag("AIFS_DEBUG")
SECRET_KEY = env.text("SECRET_KEY")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. `make up` makes one for the embedded stack; in production set it in the environment."
    )
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_FAILURE_VIEW = "apps.core.error_pages.csrf_failure"
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
AIFS_HTTPS = env.flag("AIFS_HTTPS")
"""True behind TLS: cookies become secure and plain HTTP is sent on."""
SECURE_SSL_REDIRECT = AIFS_HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = AIFS_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if AIFS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = AIFS_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if AIFS_HTTPS else None
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "style-src": ["'self'"],
        "connect-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
        "base-uri": ["'self'"],
        "object-src": ["'none'"],
    }
}

# --- the stack: PostgreSQL is the truth, Redis a bell, storage holds the bytes


def database(url: str) -> dict[str, object]:
    """Django's settings for a PostgreSQL URL."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must be a postgresql:// URL; AIFS needs PostgreSQL with pgvector.")
    # After a rush a process gives back one connection every max_idle seconds: others need them too. Who tries to reach
    # the server waits twice as long each time, so trying ends after reconnect_timeout and the next request begins anew.
    pool = {"min_size": 1, "max_size": env.number("DATABASE_POOL_SIZE", 8), "timeout": 10, "max_idle": 10}
    options: dict[str, object] = {"pool": pool | {"reconnect_timeout": 10}}
    if parts.query:
        options |= dict(pair.split("=", 1) for pair in parts.query.split("&"))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "OPTIONS": options,
        "CONN_HEALTH_CHECKS": True,  # the pool tries what it lends, so a restart of PostgreSQL costs no request
    }


DATABASE_URL = env.text("DATABASE_URL", "postgresql://aifs@127.0.0.1:5432/aifs")
REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
STORAGE_URL = env.text("STORAGE_URL", f"file://{AIFS_HOME / 'storage'}")
DATABASES = {"default": database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# A socket waits 5 s for its next message; redis-py gives up after 5 s too, unless it is told to be more patient.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 20}]},
    }
}
CACHES = {"default": {"BACKEND": "apps.core.caching.ForgetfulRedisCache", "LOCATION": REDIS_URL}}

AIFS_PORT = env.number("AIFS_PORT", 8000)
AIFS_GATEWAY_PORT = env.number("AIFS_GATEWAY_PORT", 8001)
AIFS_GRPC_PORT = env.number("AIFS_GRPC_PORT", 8002)
AIFS_URL = env.text("AIFS_URL", f"http://127.0.0.1:{AIFS_PORT}")
AIFS_GATEWAY_URL = env.text("AIFS_GATEWAY_URL", f"http://127.0.0.1:{AIFS_GATEWAY_PORT}")
AIFS_HOST = env.text("AIFS_HOST", "127.0.0.1")
AIFS_GATEWAY_HOST = env.text("AIFS_GATEWAY_HOST", "127.0.0.1")
AIFS_INTERNAL_URL = env.text("AIFS_INTERNAL_URL") or AIFS_URL
AIFS_GATEWAY_INTERNAL_URL = env.text("AIFS_GATEWAY_INTERNAL_URL")
"""How the gateway reaches the web process and the other way round, where the users' addresses lead through a proxy.
Empty: by the users' address."""

# --- jobs (DESIGN: how one piece of work flows); seconds

AIFS_NODE_NAME = env.text("AIFS_NODE_NAME")
AIFS_NODE_POOL = env.text("AIFS_NODE_POOL", "default")
AIFS_NODE_HOST = env.text("AIFS_NODE_HOST", "127.0.0.1")
"""Serving instances of this node listen there: an address that the gateway reaches."""
AIFS_CPU_OVERCOMMIT = env.decimal("AIFS_CPU_OVERCOMMIT", 2.0)
"""Cores promised per real core, so that a small machine can serve a model while it trains another."""
AIFS_HEARTBEAT_S = env.decimal("AIFS_HEARTBEAT_S", 2.0)
AIFS_LEASE_S = env.decimal("AIFS_LEASE_S", 12.0)
AIFS_STOP_GRACE_S = env.decimal("AIFS_STOP_GRACE_S", 10.0)
"""How long a run that is asked to stop may take for a last checkpoint before it is killed."""
AIFS_RUN_DIR_DAYS = env.decimal("AIFS_RUN_DIR_DAYS", 7.0)
"""Run directories of ended jobs stay this long on their node, to be looked into or run again by hand; less when its
disk is short."""
AIFS_DISK_FLOOR = env.decimal("AIFS_DISK_FLOOR", 0.1)
"""While less than this share of a node's disk is free, those that ended longest ago go first."""
AIFS_CURRENCY = env.text("AIFS_CURRENCY").strip().upper()
AIFS_PRICE_CORE_HOUR = env.price("AIFS_PRICE_CORE_HOUR")
AIFS_PRICE_ACCELERATOR_HOUR = env.price("AIFS_PRICE_ACCELERATOR_HOUR")
"""What an hour of a core and of an accelerator costs; without a price there are hours and no amount."""
if not AIFS_CURRENCY and (AIFS_PRICE_CORE_HOUR, AIFS_PRICE_ACCELERATOR_HOUR) != (None, None):
    raise ImproperlyConfigured("AIFS_CURRENCY is not set: prices need the code of their currency, such as CNY or EUR.")
SAMPLE_DATA: Path = BASE_DIR / "aifs" / "demo" / "data"
"""Rows of the demo, which a new project may begin with."""
AIFS_UPLOAD_MAX_BYTES = env.number("AIFS_UPLOAD_MAX_BYTES", 64 << 30)
AIFS_PRIVATE_HOSTS = env.words("AIFS_PRIVATE_HOSTS")

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 10, "visibility_timeout": 3600}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "tidy": {"task": "core.tidy", "schedule": 3600.0, "options": {"queue": "control"}},
    "tidy checkpoints": {"task": "gpucloud.tidy", "schedule": 3600.0, "options": {"queue": "control"}},
    "collect storage": {"task": "core.collect", "schedule": 86400.0, "options": {"queue": "control"}},
    "deliver webhooks": {"task": "core.deliver_webhooks", "schedule": 30.0, "options": {"queue": "control"}},
    "reconcile deployments": {"task": "lms.reconcile_deployments", "schedule": 10.0, "options": {"queue": "control"}},
}

# --- Django

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "aifs.apps.DeskConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "channels",
    "django_celery_beat",
    "django_htmx",
    "django_vite",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "apps.core",
    "apps.gpucloud",
    "apps.datasets",
    "apps.lms",
    "apps.labeling",
    "apps.lmb",
    "apps.lmt",
    "apps.prompts",
    "apps.aps",
    "aifs",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "apps.core.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.core.middleware.ErrorMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.core.middleware.ActorMiddleware",
    "apps.core.middleware.LastSeenMiddleware",
]
ROOT_URLCONF = "aifs.urls"
ASGI_APPLICATION = "aifs.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.core.context.frame",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "apps.core.accounts.InvitationOnlyAdapter"
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,5/5m/key", "login_failed_account": "50/h/key"}
"""Wrong passwords and codes: from one address, for one account from one address, for one account from anywhere."""
MFA_ADAPTER = "apps.core.accounts.SealedCodes"
MFA_TOTP_ISSUER = "AIFS"
MFA_RECOVERY_CODES_SHOW_ONCE = True
EMAIL_URL = urlsplit(env.text("EMAIL_URL"))
"""smtp:// changes to TLS by STARTTLS, smtps:// speaks it from the first byte. Without a mail server nothing is sent: a
message printed into the log would put the links of password resets there."""
if EMAIL_URL.scheme not in {"", "smtp", "smtps"}:
    raise ImproperlyConfigured("EMAIL_URL must look like smtp://user:password@host:587 or smtps://…")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_URL.scheme else 'dummy'}.EmailBackend"
EMAIL_HOST = EMAIL_URL.hostname or ""
EMAIL_USE_SSL = EMAIL_URL.scheme == "smtps"
EMAIL_USE_TLS = EMAIL_URL.scheme == "smtp" and EMAIL_URL.query != "tls=off"
EMAIL_PORT = EMAIL_URL.port or (465 if EMAIL_USE_SSL else 587)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(EMAIL_URL.username or ""), unquote(EMAIL_URL.password or "")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", "aifs@localhost")

UNFOLD = {
    "SITE_TITLE": "AIFS",
    "SITE_HEADER": "AIFS",
    "SITE_SUBHEADER": _("Operators' desk"),
    "SITE_SYMBOL": "hub",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/static/favicon.svg"}],
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "aifs.desk.environment",
    "SIDEBAR": {"show_search": True, "navigation": "aifs.desk.navigation"},
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("简体中文"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.text("TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = AIFS_HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static" / "dist"]
DJANGO_VITE = {"default": {"manifest_path": BASE_DIR / "static" / "dist" / "manifest.json", "static_url_prefix": ""}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_IMMUTABLE_FILE_TEST = r"^.+[.-][0-9a-zA-Z_-]{8,12}\..+$"
"""Vite puts a hash into every name; a second one from Django would load a module under two names."""
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 << 20

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.core.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.parsing.SafeJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "apps.core.rest.problem_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AIFS",
    "DESCRIPTION": "AI Foundation Software: from raw data to a published answer.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {
        f"{name}Enum": f"apps.{app}.models.{name}"
        for app, name in (("gpucloud", "JobState"), ("gpucloud", "NodeState"), ("gpucloud", "AttemptState"))
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "apps.core.schema.add_problems"],
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("AIFS_LOG_LEVEL", "INFO")},
}
