"""What is sent to the API: the bodies of its requests, as the OpenAPI page shows them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Sent(BaseModel):
    """What is sent: what is not known is ignored, as the provider does."""

    model_config = ConfigDict(extra="ignore")


class Reference(Sent):
    """An object by its UUID."""

    uuid: str


class NewSnapshot(Sent):
    """A remote snapshot to take."""

    drive: str | Reference = Field(description="The drive's UUID.")
    location: str | None = Field(default=None, description="Where it is stored and billed; where the API is unless given.")
    name: Annotated[str, Field(max_length=255)] | None = None
    meta: dict[str, Any] | None = None
    tags: list[str | Reference] | None = None


class NewSnapshots(Sent):
    """Remote snapshots to take, all or none."""

    objects: list[NewSnapshot] = Field(min_length=1, max_length=500)


class SnapshotChanges(Sent):
    """What can be edited; the other fields of a snapshot may stand beside it and are ignored."""

    name: Annotated[str, Field(max_length=255)] | None = None
    meta: dict[str, Any] | None = None
    tags: list[str | Reference] | None = None


class References(Sent):
    """Objects by their UUIDs."""

    objects: list[Reference] = Field(min_length=1, max_length=500)


class CloneWish(Sent):
    """How the drive that a clone makes should be; all of it is optional."""

    name: Annotated[str, Field(max_length=255)] | None = None
    media: str | None = None
    affinities: list[str] | None = None


class NewDrive(Sent):
    """A drive to create."""

    name: Annotated[str, Field(max_length=255)]
    size: Annotated[int, Field(strict=True)]
    media: str = "disk"
    meta: dict[str, Any] | None = None
    tags: list[str | Reference] | None = None
    affinities: list[str] | None = None


class NewDrives(Sent):
    """Drives to create."""

    objects: list[NewDrive] = Field(min_length=1, max_length=500)


class NewSubscription(Sent):
    """A subscription to buy; which of the three times may stand together says the provider's table."""

    resource: str
    amount: Annotated[str, Field(pattern=r"^[0-9]{1,19}$")] | Annotated[int, Field(strict=True, ge=0)]
    start_time: str | None = None
    end_time: str | None = None
    period: str | None = None
    auto_renew: bool = False


class NewSubscriptions(Sent):
    """Subscriptions to buy, all or none."""

    objects: list[NewSubscription] = Field(min_length=1)


class Extension(Sent):
    """How to extend; the subscription's own length unless given."""

    period: str | None = None
    end_time: str | None = None
    auto_renew: bool | None = None


class ProfileChanges(Sent):
    """What can be set in the profile."""

    clone_naming: str | None = None


def _one_or_many(body: Any) -> str:
    """Tell one object from several, so that what is wrong is said of what was meant."""
    return "many" if isinstance(body, dict) and "objects" in body else "one"


ONE_OR_MANY = Discriminator(_one_or_many)
SnapshotOrSnapshots = Annotated[Annotated[NewSnapshot, Tag("one")] | Annotated[NewSnapshots, Tag("many")], ONE_OR_MANY]
DriveOrDrives = Annotated[Annotated[NewDrive, Tag("one")] | Annotated[NewDrives, Tag("many")], ONE_OR_MANY]
SubscriptionOrSubscriptions = Annotated[
    Annotated[NewSubscription, Tag("one")] | Annotated[NewSubscriptions, Tag("many")], ONE_OR_MANY
]


def uuid_of(given: str | Reference) -> str:
    """Give the UUID, however it was sent."""
    return given if isinstance(given, str) else given.uuid
