-- The relay is woken by the process that added the event. A NOTIFY in the transaction of an order would make the commits of
-- all orders wait for each other: PostgreSQL holds one lock of the whole database from it until the commit is on disk.

-- DropTrigger
DROP TRIGGER "outbox_events_notify" ON "outbox_events";

-- DropFunction
DROP FUNCTION "notify_outbox"();
