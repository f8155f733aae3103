from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    name = "segments"

    def ready(self) -> None:
        """Describe the addresses for programs beside those of the data."""
        # The description of the API reads models, which can only be imported once all apps are loaded.
        from behaviour import api_docs
        from segments.api_operations import operations

        for operation in operations():
            api_docs.register(operation)
