-- The first tables. What Prisma generates from schema.prisma, reviewed, then what it cannot say:
-- checks, append-only tables, indexes of a part of the rows. `previews` is unlogged.

CREATE TYPE "platform" AS ENUM ('discord', 'slack', 'web');
CREATE TYPE "job_kind" AS ENUM ('imagine', 'edit', 'again');
CREATE TYPE "job_state" AS ENUM ('queued', 'dispatched', 'running', 'done', 'failed', 'cancelled');
CREATE TYPE "lane" AS ENUM ('fast', 'relax', 'moderator');
CREATE TYPE "charge_kind" AS ENUM ('picture', 'enhancement');
CREATE TYPE "ledger_kind" AS ENUM ('reservation', 'settlement', 'refund', 'grant');
CREATE TYPE "quota_scope" AS ENUM ('guild', 'role', 'member');
CREATE TYPE "report_kind" AS ENUM ('report', 'appeal');
CREATE TYPE "report_state" AS ENUM ('open', 'upheld', 'dismissed');

CREATE TABLE "guilds" (
    "id" SERIAL NOT NULL,
    "platform" "platform" NOT NULL,
    "platform_id" TEXT NOT NULL,
    "name" TEXT,
    "locale" TEXT NOT NULL DEFAULT 'en-US',
    "weight" INTEGER NOT NULL DEFAULT 1,
    "limits" JSONB NOT NULL DEFAULT '{}',
    "settings" JSONB NOT NULL DEFAULT '{}',
    "paused_at" TIMESTAMPTZ(3),
    "pause_note" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "removed_at" TIMESTAMPTZ(3),

    CONSTRAINT "guilds_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "members" (
    "id" SERIAL NOT NULL,
    "guild_id" INTEGER NOT NULL,
    "platform_id" TEXT NOT NULL,
    "name" TEXT,
    "locale" TEXT,
    "role_bits" INTEGER NOT NULL DEFAULT 0,
    "role_ids" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[],
    "is_edit_consented" BOOLEAN NOT NULL DEFAULT false,
    "defaults" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "seen_at" TIMESTAMPTZ(3),

    CONSTRAINT "members_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "jobs" (
    "id" CHAR(10) NOT NULL,
    "guild_id" INTEGER NOT NULL,
    "member_id" INTEGER NOT NULL,
    "invocation_id" TEXT,
    "kind" "job_kind" NOT NULL,
    "state" "job_state" NOT NULL DEFAULT 'queued',
    "spec" JSONB NOT NULL,
    "seed" BIGINT NOT NULL,
    "lane" "lane" NOT NULL DEFAULT 'fast',
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "dispatch_id" UUID,
    "estimate_micros" BIGINT NOT NULL,
    "cost_micros" BIGINT,
    "timings" JSONB,
    "device" TEXT,
    "parent_id" CHAR(10),
    "reply_to" JSONB NOT NULL,
    "shown" JSONB,
    "is_private" BOOLEAN NOT NULL DEFAULT false,
    "input_keys" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[],
    "result_keys" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[],
    "error" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "dispatched_at" TIMESTAMPTZ(3),
    "started_at" TIMESTAMPTZ(3),
    "cancelled_at" TIMESTAMPTZ(3),
    "settled_at" TIMESTAMPTZ(3),
    "delivered_at" TIMESTAMPTZ(3),
    "delivery_attempts" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "jobs_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "charges" (
    "id" BIGSERIAL NOT NULL,
    "job_id" CHAR(10),
    "kind" "charge_kind" NOT NULL DEFAULT 'picture',
    "guild_id" INTEGER NOT NULL,
    "member_id" INTEGER,
    "micros" BIGINT NOT NULL,
    "device" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "charges_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "ledger_entries" (
    "id" BIGSERIAL NOT NULL,
    "job_id" CHAR(10),
    "kind" "ledger_kind" NOT NULL,
    "guild_id" INTEGER NOT NULL,
    "member_id" INTEGER,
    "micros" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "ledger_entries_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "quotas" (
    "id" SERIAL NOT NULL,
    "guild_id" INTEGER NOT NULL,
    "scope" "quota_scope" NOT NULL,
    "subject" TEXT NOT NULL DEFAULT '',
    "refill_micros" BIGINT,
    "window_ms" BIGINT,
    "hard_cap_micros" BIGINT,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "quotas_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "balances" (
    "id" SERIAL NOT NULL,
    "guild_id" INTEGER NOT NULL,
    "member_id" INTEGER,
    "micros" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "balances_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "audit_entries" (
    "id" BIGSERIAL NOT NULL,
    "guild_id" INTEGER,
    "member_id" INTEGER,
    "action" TEXT NOT NULL,
    "facts" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "audit_entries_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "flows" (
    "path" TEXT NOT NULL,
    "start" BIGINT NOT NULL DEFAULT 0,
    "floor" BIGINT NOT NULL DEFAULT 0,
    "sequence" BIGINT NOT NULL DEFAULT 0,
    "virtual_time" BIGINT,
    "rebased" BIGINT,
    "server_sequence" BIGINT,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "flows_pkey" PRIMARY KEY ("path")
);

CREATE TABLE "states" (
    "name" TEXT NOT NULL,
    "value" JSONB NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "states_pkey" PRIMARY KEY ("name")
);

CREATE UNLOGGED TABLE "previews" (
    "job_id" CHAR(10) NOT NULL,
    "step" INTEGER NOT NULL,
    "evaluations" INTEGER NOT NULL,
    "content_type" TEXT NOT NULL,
    "bytes" BYTEA NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "previews_pkey" PRIMARY KEY ("job_id")
);

CREATE TABLE "web_messages" (
    "id" BIGSERIAL NOT NULL,
    "guild_id" INTEGER NOT NULL,
    "channel" TEXT NOT NULL,
    "author" TEXT,
    "visible_to" TEXT,
    "nonce" TEXT,
    "reply_to_id" BIGINT,
    "content" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "edited_at" TIMESTAMPTZ(3),
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "web_messages_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "favourites" (
    "member_id" INTEGER NOT NULL,
    "job_id" CHAR(10) NOT NULL,
    "picture" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "favourites_pkey" PRIMARY KEY ("member_id","job_id","picture")
);

CREATE TABLE "reports" (
    "id" SERIAL NOT NULL,
    "guild_id" INTEGER NOT NULL,
    "member_id" INTEGER,
    "kind" "report_kind" NOT NULL,
    "state" "report_state" NOT NULL DEFAULT 'open',
    "job_id" CHAR(10),
    "picture" INTEGER,
    "facts" JSONB NOT NULL DEFAULT '{}',
    "note" TEXT,
    "answer" TEXT,
    "answered_by" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "answered_at" TIMESTAMPTZ(3),

    CONSTRAINT "reports_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "styles" (
    "guild_id" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "prompt" TEXT NOT NULL,
    "negative_prompt" TEXT NOT NULL DEFAULT '',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "styles_pkey" PRIMARY KEY ("guild_id","name")
);

CREATE TABLE "words" (
    "guild_id" INTEGER NOT NULL,
    "word" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "words_pkey" PRIMARY KEY ("guild_id","word")
);

CREATE TABLE "blocks" (
    "guild_id" INTEGER NOT NULL,
    "member_id" INTEGER NOT NULL,
    "reason" TEXT NOT NULL DEFAULT '',
    "until" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "blocks_pkey" PRIMARY KEY ("guild_id","member_id")
);
CREATE INDEX "guilds_removed_at_idx" ON "guilds"("removed_at");
CREATE UNIQUE INDEX "guilds_platform_platform_id_key" ON "guilds"("platform", "platform_id");
CREATE UNIQUE INDEX "members_guild_id_platform_id_key" ON "members"("guild_id", "platform_id");
CREATE INDEX "jobs_guild_id_created_at_idx" ON "jobs"("guild_id", "created_at");
CREATE INDEX "jobs_member_id_created_at_idx" ON "jobs"("member_id", "created_at");
CREATE INDEX "jobs_parent_id_idx" ON "jobs"("parent_id");
CREATE INDEX "jobs_input_keys_idx" ON "jobs" USING GIN ("input_keys");
CREATE INDEX "jobs_result_keys_idx" ON "jobs" USING GIN ("result_keys");
CREATE UNIQUE INDEX "jobs_guild_id_invocation_id_key" ON "jobs"("guild_id", "invocation_id");
CREATE INDEX "charges_guild_id_created_at_idx" ON "charges"("guild_id", "created_at");
CREATE INDEX "charges_member_id_created_at_idx" ON "charges"("member_id", "created_at");
CREATE UNIQUE INDEX "charges_job_id_kind_key" ON "charges"("job_id", "kind");
CREATE INDEX "ledger_entries_guild_id_created_at_idx" ON "ledger_entries"("guild_id", "created_at");
CREATE INDEX "ledger_entries_member_id_created_at_idx" ON "ledger_entries"("member_id", "created_at");
CREATE UNIQUE INDEX "ledger_entries_job_id_kind_key" ON "ledger_entries"("job_id", "kind");
CREATE UNIQUE INDEX "quotas_guild_id_scope_subject_key" ON "quotas"("guild_id", "scope", "subject");
CREATE UNIQUE INDEX "balances_member_id_key" ON "balances"("member_id");
CREATE INDEX "balances_guild_id_idx" ON "balances"("guild_id");
CREATE INDEX "audit_entries_guild_id_created_at_idx" ON "audit_entries"("guild_id", "created_at");
CREATE INDEX "audit_entries_member_id_idx" ON "audit_entries"("member_id");
CREATE INDEX "web_messages_guild_id_channel_id_idx" ON "web_messages"("guild_id", "channel", "id");
CREATE INDEX "web_messages_reply_to_id_idx" ON "web_messages"("reply_to_id");
CREATE UNIQUE INDEX "web_messages_guild_id_nonce_key" ON "web_messages"("guild_id", "nonce");
CREATE INDEX "favourites_job_id_idx" ON "favourites"("job_id");
CREATE INDEX "reports_guild_id_state_created_at_idx" ON "reports"("guild_id", "state", "created_at");
CREATE INDEX "reports_job_id_idx" ON "reports"("job_id");
CREATE INDEX "reports_member_id_idx" ON "reports"("member_id");
CREATE INDEX "blocks_member_id_idx" ON "blocks"("member_id");
ALTER TABLE "members" ADD CONSTRAINT "members_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_member_id_fkey" FOREIGN KEY ("member_id") REFERENCES "members"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_parent_id_fkey" FOREIGN KEY ("parent_id") REFERENCES "jobs"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "charges" ADD CONSTRAINT "charges_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "charges" ADD CONSTRAINT "charges_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "charges" ADD CONSTRAINT "charges_member_id_fkey" FOREIGN KEY ("member_id") REFERENCES "members"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "ledger_entries" ADD CONSTRAINT "ledger_entries_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "ledger_entries" ADD CONSTRAINT "ledger_entries_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "ledger_entries" ADD CONSTRAINT "ledger_entries_member_id_fkey" FOREIGN KEY ("member_id") REFERENCES "members"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "quotas" ADD CONSTRAINT "quotas_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "balances" ADD CONSTRAINT "balances_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "balances" ADD CONSTRAINT "balances_member_id_fkey" FOREIGN KEY ("member_id") REFERENCES "members"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "audit_entries" ADD CONSTRAINT "audit_entries_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "audit_entries" ADD CONSTRAINT "audit_entries_member_id_fkey" FOREIGN KEY ("member_id") REFERENCES "members"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "previews" ADD CONSTRAINT "previews_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "web_messages" ADD CONSTRAINT "web_messages_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "web_messages" ADD CONSTRAINT "web_messages_reply_to_id_fkey" FOREIGN KEY ("reply_to_id") REFERENCES "web_messages"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "favourites" ADD CONSTRAINT "favourites_member_id_fkey" FOREIGN KEY ("member_id") REFERENCES "members"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "favourites" ADD CONSTRAINT "favourites_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "reports" ADD CONSTRAINT "reports_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "reports" ADD CONSTRAINT "reports_member_id_fkey" FOREIGN KEY ("member_id") REFERENCES "members"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "reports" ADD CONSTRAINT "reports_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "styles" ADD CONSTRAINT "styles_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "words" ADD CONSTRAINT "words_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "blocks" ADD CONSTRAINT "blocks_guild_id_fkey" FOREIGN KEY ("guild_id") REFERENCES "guilds"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "blocks" ADD CONSTRAINT "blocks_member_id_fkey" FOREIGN KEY ("member_id") REFERENCES "members"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What must hold whichever program writes.

ALTER TABLE "guilds" ADD CONSTRAINT "guilds_weight_divides" CHECK ("weight" >= 1 AND 2520 % "weight" = 0);

ALTER TABLE "jobs"
  -- Crockford's alphabet: no i, l, o, u.
  ADD CONSTRAINT "jobs_id_crockford" CHECK ("id" ~ '^[0-9a-hjkmnp-tv-z]{10}$'),
  ADD CONSTRAINT "jobs_seed_range" CHECK ("seed" BETWEEN 0 AND 4294967295),
  ADD CONSTRAINT "jobs_attempt_positive" CHECK ("attempt" >= 0),
  -- 2^36 microseconds: the fair queue counts exactly up to there.
  ADD CONSTRAINT "jobs_estimate_range" CHECK ("estimate_micros" BETWEEN 1 AND 68719476736),
  ADD CONSTRAINT "jobs_cost_range" CHECK ("cost_micros" BETWEEN 0 AND 68719476736),
  ADD CONSTRAINT "jobs_settled_is_final" CHECK (("settled_at" IS NOT NULL) = ("state" IN ('done', 'failed', 'cancelled'))),
  ADD CONSTRAINT "jobs_settled_has_cost" CHECK ("settled_at" IS NULL OR "cost_micros" IS NOT NULL),
  ADD CONSTRAINT "jobs_failed_has_error" CHECK ("state" <> 'failed' OR "error" IS NOT NULL),
  ADD CONSTRAINT "jobs_delivered_is_settled" CHECK ("delivered_at" IS NULL OR "settled_at" IS NOT NULL);

ALTER TABLE "charges" ADD CONSTRAINT "charges_positive" CHECK ("micros" BETWEEN 0 AND 68719476736);

ALTER TABLE "ledger_entries"
  ADD CONSTRAINT "ledger_entries_reservation_takes" CHECK ("kind" <> 'reservation' OR "micros" <= 0),
  ADD CONSTRAINT "ledger_entries_refund_gives" CHECK ("kind" <> 'refund' OR "micros" >= 0);

ALTER TABLE "quotas"
  -- All three numbers, or none for no limit.
  ADD CONSTRAINT "quotas_whole" CHECK (num_nulls("refill_micros", "window_ms", "hard_cap_micros") IN (0, 3)),
  ADD CONSTRAINT "quotas_positive" CHECK ("refill_micros" >= 1 AND "window_ms" >= 1 AND "hard_cap_micros" >= "refill_micros"),
  ADD CONSTRAINT "quotas_guild_has_no_subject" CHECK (("scope" = 'guild') = ("subject" = ''));

ALTER TABLE "previews" ADD CONSTRAINT "previews_small" CHECK (octet_length("bytes") <= 1048576);

ALTER TABLE "favourites" ADD CONSTRAINT "favourites_picture_positive" CHECK ("picture" >= 0);

ALTER TABLE "reports" ADD CONSTRAINT "reports_answered" CHECK (("answered_at" IS NULL) = ("state" = 'open'));

ALTER TABLE "styles" ADD CONSTRAINT "styles_name_length" CHECK (char_length("name") BETWEEN 1 AND 40);

ALTER TABLE "words" ADD CONSTRAINT "words_word_length" CHECK (char_length("word") BETWEEN 1 AND 100);

-- The guild's own balance is the one without a member.
CREATE UNIQUE INDEX "balances_of_guild" ON "balances"("guild_id") WHERE "member_id" IS NULL;

-- The two questions of every start: what is still to be done, and what is still to be delivered.
CREATE INDEX "jobs_unsettled" ON "jobs"("created_at") WHERE "settled_at" IS NULL;
CREATE INDEX "jobs_undelivered" ON "jobs"("settled_at") WHERE "settled_at" IS NOT NULL AND "delivered_at" IS NULL;

-- Append-only: rows leave, or lose their member or job, only as a consequence of a deletion
-- elsewhere (a purged guild, a member who asked for it), which runs one trigger deeper.
CREATE FUNCTION "refuse_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;

CREATE TRIGGER "charges_append_only" BEFORE UPDATE OR DELETE ON "charges" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "ledger_entries_append_only" BEFORE UPDATE OR DELETE ON "ledger_entries" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "audit_entries_append_only" BEFORE UPDATE OR DELETE ON "audit_entries" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();

COMMENT ON TABLE "blocks" IS 'Members who may not draw, until a time or for good.';
