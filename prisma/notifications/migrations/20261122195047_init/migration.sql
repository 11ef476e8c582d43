-- CreateEnum
CREATE TYPE "notification_kind" AS ENUM ('ORDER_PLACED', 'ORDER_CANCELLED');

-- CreateTable
CREATE TABLE "notifications" (
    "id" UUID NOT NULL,
    "customer_id" VARCHAR(255) NOT NULL,
    "position" BIGINT NOT NULL,
    "kind" "notification_kind" NOT NULL,
    "message" TEXT NOT NULL,
    "order_id" UUID NOT NULL,
    "event_id" VARCHAR(128) NOT NULL,
    "event_time" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "read_at" TIMESTAMPTZ(3),

    CONSTRAINT "notifications_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "feeds" (
    "customer_id" VARCHAR(255) NOT NULL,
    "last_position" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "feeds_pkey" PRIMARY KEY ("customer_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "notifications_customer_id_position_key" ON "notifications"("customer_id", "position");

-- CreateIndex
CREATE UNIQUE INDEX "notifications_event_id_customer_id_key" ON "notifications"("event_id", "customer_id");
