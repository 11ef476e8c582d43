-- CreateTable
CREATE TABLE "restocks" (
    "id" UUID NOT NULL,
    "sku" VARCHAR(64) NOT NULL,
    "quantity" INTEGER NOT NULL,
    "requested_by" VARCHAR(255) NOT NULL,
    "idempotency_key" VARCHAR(128),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "restocks_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "restocks_requested_by_idempotency_key_key" ON "restocks"("requested_by", "idempotency_key");

-- Below: what the schema cannot express.

-- AddCheck
ALTER TABLE "restocks" ADD CONSTRAINT "restocks_quantity_check" CHECK ("quantity" > 0);
