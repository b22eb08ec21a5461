from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

# Appends entries to the chain, one transaction at a time until it commits, so that ids are dense and in commit order.
# A function, because each of its statements sees what was committed while it waited for the lock. A body is the
# canonical JSON array of app.services.chain without its first three members, which only the lock's holder knows.
APPEND = """
create function audit_append(bodies text[]) returns bigint language plpgsql as $$
declare
    body text;
    change jsonb;
    last_id bigint;
    last_at timestamptz;
    last_hash text;
    new_hash text;
begin
    perform pg_advisory_xact_lock(1785689458);
    select id, at, hash into last_id, last_at, last_hash from audit_entry order by id desc limit 1;
    last_id := coalesce(last_id, 0);
    last_hash := coalesce(last_hash, repeat('0', 64));
    foreach body in array bodies loop
        change := body::jsonb;
        last_id := last_id + 1;
        last_at := greatest(last_at, clock_timestamp());
        new_hash := encode(sha256(convert_to(concat(
            '["', last_hash, '",', last_id, ',"', to_char(last_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            '",', substr(body, 2)), 'UTF8')), 'hex');
        insert into audit_entry
            (id, at, actor, action, entity, entity_id, client_id, before, after, request_id, hash, previous_hash)
        values
            (last_id, last_at, change ->> 0, change ->> 1, change ->> 2, change ->> 3, (change ->> 4)::bigint,
             nullif(change -> 5, 'null'), nullif(change -> 6, 'null'), change ->> 7, new_hash, last_hash);
        last_hash := new_hash;
    end loop;
    return last_id;
end
$$
"""
REFUSE = """
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$
"""
GUARD = """
create trigger append_only before update or delete or truncate on {table}
for each statement execute function refuse_change()
"""
# Also in sessions that replicate; only who disables the trigger by name gets past it.
ALWAYS = "alter table {table} enable always trigger append_only"

class Migration(migrations.Migration):
    dependencies = [('models', '0006_live_checks')]

    initial = False

    operations = [
        ops.AlterField(
            model_name='AuditEntry',
            name='at',
            field=fields.DatetimeField(db_index=True, description='Never before the entry before.', auto_now=False, auto_now_add=False),
        ),
        ops.AlterField(
            model_name='AuditEntry',
            name='hash',
            field=fields.CharField(description='SHA-256 over `previous_hash` and the row, hexadecimal; see `app.services.chain`.', max_length=64),
        ),
        ops.RunSQL(
            [APPEND, REFUSE]
            + [sql.format(table=table) for table in ('audit_entry', 'margin_call_event') for sql in (GUARD, ALWAYS)],
            [
                'drop trigger append_only on audit_entry',
                'drop trigger append_only on margin_call_event',
                'drop function refuse_change()',
                'drop function audit_append(text[])',
            ],
        ),
    ]
