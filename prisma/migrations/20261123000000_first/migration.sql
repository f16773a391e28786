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
    "burst_micros" BIGINT NOT NULL,
    "micros_per_hour" BIGINT NOT NULL,
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
  ADD CONSTRAINT "quotas_positive" CHECK ("burst_micros" >= 0 AND "micros_per_hour" >= 0),
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

COMMENT ON TABLE "blocks" IS '`again` draws variations of its parent, `edit` starts from a picture. JobKind { agine it ain  map("job_kind")   queued -> dispatched -> running -> done | failed | cancelled; back to queued when a worker is lost. JobState { eued spatched nning ne iled ncelled  map("job_state")   As the fair queue names them: `relax` is for whoever is over quota. Lane { st lax derator  map("lane")   What a device was used for. ChargeKind { cture hancement  map("charge_kind")   Why quota changed. Of one job: reserved at admission, then settled to the true cost or refunded. LedgerKind { servation ttlement fund ant  map("ledger_kind")   Whose quota a rule sets. QuotaScope { ild le mber  map("quota_scope")   A report is about a picture, an appeal is about a refusal. ReportKind { port peal  map("report_kind")   ReportState { en held smissed  map("report_state")   A Discord guild, a Slack workspace or a demo guild of the playground: the tenant. l Guild { Int       @id @default(autoincrement()) atform   Platform atformId String    @map("platform_id") me       String? cale     String    @default("en-US") / Share of the devices beside other guilds''; divides 2520. ight     Int       @default(1) / Caps and quota that differ from the defaults. mits     Json      @default("{}") / Channels, safety, looks: what moderators set. ttings   Json      @default("{}") / Since when moderators have paused drawing, and why. usedAt   DateTime? @map("paused_at") @db.Timestamptz(3) useNote  String?   @map("pause_note") eatedAt  DateTime  @default(now()) @map("created_at") @db.Timestamptz(3) / Since when the bot is no longer in it; purged some time later. movedAt  DateTime? @map("removed_at") @db.Timestamptz(3)  mbers       Member[] bs          Job[] arges       Charge[] dgerEntries LedgerEntry[] otas        Quota[] lances      Balance[] ditEntries  AuditEntry[] ports       Report[] yles        Style[] rds         Word[] ocks        Block[]  unique([platform, platformId]) index([removedAt]) map("guilds")   A person in one guild. l Member { Int       @id @default(autoincrement()) ildId         Int       @map("guild_id") atformId      String    @map("platform_id") me            String? / Null: the guild''s. cale          String? / What the member may do, by our own bits; the platform''s word is asked anew each time. leBits        Int       @default(0) @map("role_bits") / The platform''s roles, for quotas by role. leIds         String[]  @default([]) @map("role_ids") / Whether others may edit the pictures that this member uploaded. EditConsented Boolean   @default(false) @map("is_edit_consented") / What jobs of this member begin with: shape, count, style. faults        Json      @default("{}") eatedAt       DateTime  @default(now()) @map("created_at") @db.Timestamptz(3) enAt          DateTime? @map("seen_at") @db.Timestamptz(3)  ild         Guild         @relation(fields: [guildId], references: [id], onDelete: Cascade) bs          Job[] arges       Charge[] dgerEntries LedgerEntry[] lance       Balance? ditEntries  AuditEntry[] vourites    Favourite[] ports       Report[] ocks        Block[]  unique([guildId, platformId]) map("members")   A wish that was admitted, from its row on until its deletion. l Job { / 10 random lowercase Crockford characters. String    @id @db.Char(10) ildId          Int       @map("guild_id") mberId         Int       @map("member_id") / The platform''s id of what was said, so that saying it twice is one job. vocationId     String?   @map("invocation_id") nd             JobKind ate            JobState  @default(queued) ec             Json ed             BigInt ne             Lane      @default(fast) / Which dispatch is the valid one: a worker that comes back late has an older number. tempt          Int       @default(0) / The id of its row in the dispatch queue. spatchId       String?   @map("dispatch_id") @db.Uuid timateMicros   BigInt    @map("estimate_micros") stMicros       BigInt?   @map("cost_micros") / What each stage took on the device, in microseconds. mings          Json? vice           String? rentId         String?   @map("parent_id") @db.Char(10) / Where the answer goes: channel, message, whatever the platform needs. plyTo          Json      @map("reply_to") Private        Boolean   @default(false) @map("is_private") / Blobs that it starts from. putKeys        String[]  @default([]) @map("input_keys") / Blobs of its pictures, in order. sultKeys       String[]  @default([]) @map("result_keys") / A code and its facts. ror            Json? eatedAt        DateTime  @default(now()) @map("created_at") @db.Timestamptz(3) spatchedAt     DateTime? @map("dispatched_at") @db.Timestamptz(3) artedAt        DateTime? @map("started_at") @db.Timestamptz(3) ncelledAt      DateTime? @map("cancelled_at") @db.Timestamptz(3) ttledAt        DateTime? @map("settled_at") @db.Timestamptz(3) liveredAt      DateTime? @map("delivered_at") @db.Timestamptz(3) liveryAttempts Int       @default(0) @map("delivery_attempts")  ild         Guild         @relation(fields: [guildId], references: [id], onDelete: Cascade) mber        Member        @relation(fields: [memberId], references: [id], onDelete: Cascade) rent        Job?          @relation("parent", fields: [parentId], references: [id], onDelete: SetNull) ildren      Job[]         @relation("parent") arges       Charge[] dgerEntries LedgerEntry[] eview       Preview? vourites    Favourite[] ports       Report[]  unique([guildId, invocationId]) index([guildId, createdAt]) index([memberId, createdAt]) index([parentId]) index([inputKeys], type: Gin) index([resultKeys], type: Gin) map("jobs")   True cost of a job, once for each kind. Append-only. l Charge { BigInt     @id @default(autoincrement()) bId     String?    @map("job_id") @db.Char(10) nd      ChargeKind @default(picture) ildId   Int        @map("guild_id") mberId  Int?       @map("member_id") cros    BigInt vice    String eatedAt DateTime   @default(now()) @map("created_at") @db.Timestamptz(3)  b    Job?    @relation(fields: [jobId], references: [id], onDelete: SetNull) ild  Guild   @relation(fields: [guildId], references: [id], onDelete: Cascade) mber Member? @relation(fields: [memberId], references: [id], onDelete: SetNull)  unique([jobId, kind]) index([guildId, createdAt]) index([memberId, createdAt]) map("charges")   Every change of quota. Append-only; those of a settled job add up to minus its charges. l LedgerEntry { BigInt     @id @default(autoincrement()) bId     String?    @map("job_id") @db.Char(10) nd      LedgerKind ildId   Int        @map("guild_id") mberId  Int?       @map("member_id") / Below 0: quota is taken. cros    BigInt eatedAt DateTime   @default(now()) @map("created_at") @db.Timestamptz(3)  b    Job?    @relation(fields: [jobId], references: [id], onDelete: SetNull) ild  Guild   @relation(fields: [guildId], references: [id], onDelete: Cascade) mber Member? @relation(fields: [memberId], references: [id], onDelete: SetNull)  unique([jobId, kind]) index([guildId, createdAt]) index([memberId, createdAt]) map("ledger_entries")   How much quota there is and how fast it comes back, where moderators said so. l Quota { Int        @id @default(autoincrement()) ildId       Int        @map("guild_id") ope         QuotaScope / The role''s or member''s platform id; empty for the guild. bject       String     @default("") rstMicros   BigInt     @map("burst_micros") crosPerHour BigInt     @map("micros_per_hour") datedAt     DateTime   @updatedAt @map("updated_at") @db.Timestamptz(3)  ild Guild @relation(fields: [guildId], references: [id], onDelete: Cascade)  unique([guildId, scope, subject]) map("quotas")   What is left: a token bucket of a member, or of the guild where the member is null. Its row is locked by whoever takes from it, so that two at once cannot overspend. l Balance { Int      @id @default(autoincrement()) ildId  Int      @map("guild_id") mberId Int?     @unique @map("member_id") cros   BigInt / When that was true. DateTime @db.Timestamptz(3)  ild  Guild   @relation(fields: [guildId], references: [id], onDelete: Cascade) mber Member? @relation(fields: [memberId], references: [id], onDelete: Cascade)  index([guildId]) map("balances")   What moderators and operators did. Append-only. l AuditEntry { BigInt   @id @default(autoincrement()) ildId   Int?     @map("guild_id") mberId  Int?     @map("member_id") tion    String / To whom or what, and how it was and is. cts     Json     @default("{}") eatedAt DateTime @default(now()) @map("created_at") @db.Timestamptz(3)  ild  Guild?  @relation(fields: [guildId], references: [id], onDelete: Cascade) mber Member? @relation(fields: [memberId], references: [id], onDelete: SetNull)  index([guildId, createdAt]) index([memberId]) map("audit_entries")   Tags of one flow of the fair queue in ticks, written behind. `path` leads down the tree: `open`, `open/fast`, `open/fast/GUILD`, `open/fast/GUILD/MEMBER`. Flows that serve others keep their server''s tags too. l Flow { th           String   @id art          BigInt   @default(0) oor          BigInt   @default(0) quence       BigInt   @default(0) rtualTime    BigInt?  @map("virtual_time") based        BigInt? rverSequence BigInt?  @map("server_sequence") datedAt      DateTime @updatedAt @map("updated_at") @db.Timestamptz(3)  map("flows")   Small things the leader writes for all and its successor: the backlog, the cost model. l State { me      String   @id lue     Json datedAt DateTime @updatedAt @map("updated_at") @db.Timestamptz(3)  map("states")   The latest look at a running job. Unlogged: a crash of the database empties it, and may. l Preview { bId       String   @id @map("job_id") @db.Char(10) ep        Int aluations Int ntentType String   @map("content_type") tes       Bytes datedAt   DateTime @updatedAt @map("updated_at") @db.Timestamptz(3)  b Job @relation(fields: [jobId], references: [id], onDelete: Cascade)  map("previews")   A picture that a member keeps. l Favourite { mberId  Int      @map("member_id") bId     String   @map("job_id") @db.Char(10) / From 0, as in `Job.resultKeys`. cture   Int      @default(0) eatedAt DateTime @default(now()) @map("created_at") @db.Timestamptz(3)  mber Member @relation(fields: [memberId], references: [id], onDelete: Cascade) b    Job    @relation(fields: [jobId], references: [id], onDelete: Cascade)  id([memberId, jobId, picture]) index([jobId]) map("favourites")   What members ask moderators to look at. l Report { Int         @id @default(autoincrement()) ildId    Int         @map("guild_id") mberId   Int?        @map("member_id") nd       ReportKind ate      ReportState @default(open) bId      String?     @map("job_id") @db.Char(10) cture    Int? / The rule that refused, and what it refused, for appeals. cts      Json        @default("{}") te       String? swer     String? / The moderator''s platform id. sweredBy String?     @map("answered_by") eatedAt  DateTime    @default(now()) @map("created_at") @db.Timestamptz(3) sweredAt DateTime?   @map("answered_at") @db.Timestamptz(3)  ild  Guild   @relation(fields: [guildId], references: [id], onDelete: Cascade) mber Member? @relation(fields: [memberId], references: [id], onDelete: SetNull) b    Job?    @relation(fields: [jobId], references: [id], onDelete: Cascade)  index([guildId, state, createdAt]) index([jobId]) index([memberId]) map("reports")   A preset of a guild''s own. l Style { ildId        Int      @map("guild_id") me           String / Put around the prompt, where `{prompt}` stands. ompt         String gativePrompt String   @default("") @map("negative_prompt") eatedAt      DateTime @default(now()) @map("created_at") @db.Timestamptz(3)  ild Guild @relation(fields: [guildId], references: [id], onDelete: Cascade)  id([guildId, name]) map("styles")   A word that a guild does not draw, folded as prompts are before they are compared. l Word { ildId   Int      @map("guild_id") rd      String eatedAt DateTime @default(now()) @map("created_at") @db.Timestamptz(3)  ild Guild @relation(fields: [guildId], references: [id], onDelete: Cascade)  id([guildId, word]) map("words")   A member who may not draw, for a time or for good.';
