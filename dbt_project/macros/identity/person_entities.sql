{#-
  The entities whose records carry a person, beside the event entities; how each says when the
  person was seen, and which columns identify the person. Identifiers: [type, column], with the
  scope column third, or a reason fourth why the value is known but links nothing.
  A referral's or an order's member_code names the referrer, so it is not among them.
-#}
{% macro person_entities() %}
    {{
        return(
            [
                {
                    "source": "crm",
                    "entity": "contacts",
                    "first": "created_at",
                    "last": "updated_at",
                    "name": "name",
                    "birth_date": "birth_date",
                    "identifiers": [
                        ["crm_customer_id", "crm_customer_id"],
                        ["mobile", "mobile"],
                        ["mobile", "backup_mobile", none, "backup_phone"],
                        ["email", "email"],
                        ["unionid", "unionid"],
                        ["wecom_external_id", "wecom_external_id"],
                    ],
                },
                {
                    "source": "crm",
                    "entity": "leads",
                    "first": "created_at",
                    "last": "updated_at",
                    "name": "name",
                    "identifiers": [
                        ["crm_customer_id", "crm_customer_id"],
                        ["mobile", "mobile"],
                        ["unionid", "unionid"],
                    ],
                },
                {
                    "source": "crm",
                    "entity": "adf_leads",
                    "first": "requested_at",
                    "last": "requested_at",
                    "name": "name",
                    "identifiers": [["mobile", "mobile"], ["email", "email"]],
                },
                {
                    "source": "crm",
                    "entity": "complaints",
                    "first": "accepted_at",
                    "last": "updated_at",
                    "name": "name",
                    "identifiers": [["mobile", "mobile"]],
                },
                {
                    "source": "crm",
                    "entity": "surveys",
                    "first": "sent_at",
                    "last": "submitted_at",
                    "name": none,
                    "identifiers": [["mobile", "mobile"]],
                },
                {
                    "source": "crm",
                    "entity": "owner_contacts",
                    "first": "contacted_at",
                    "last": "contacted_at",
                    "name": none,
                    "identifiers": [["mobile", "mobile"]],
                },
                {
                    "source": "crm",
                    "entity": "wecom_contacts",
                    "first": "added_at",
                    "last": "updated_at",
                    "name": none,
                    "identifiers": [
                        ["wecom_external_id", "wecom_external_id"],
                        ["unionid", "unionid"],
                        ["mobile", "mobile"],
                    ],
                },
                {
                    "source": "dms",
                    "entity": "customers",
                    "organisation": true,
                    "first": "(cast(filed_on as timestamp) - interval '8' hour)",
                    "last": "updated_at",
                    "name": "name",
                    "identifiers": [
                        ["dms_customer_id", "dms_customer_id", "dealer_code"],
                        ["id_card", "id_card"],
                        ["mobile", "mobile"],
                        ["mobile", "backup_mobile", none, "backup_phone"],
                        ["email", "email"],
                    ],
                },
                {
                    "source": "dms",
                    "entity": "store_visits",
                    "first": "arrived_at",
                    "last": "left_at",
                    "name": "name",
                    "identifiers": [["mobile", "mobile"]],
                },
                {
                    "source": "dms",
                    "entity": "test_drives",
                    "first": "started_at",
                    "last": "ended_at",
                    "name": "name",
                    "identifiers": [["mobile", "mobile"]],
                },
                {
                    "source": "dms",
                    "entity": "orders",
                    "organisation": true,
                    "first": "coalesce(small_ordered_at, large_ordered_at, locked_at)",
                    "last": "updated_at",
                    "name": "name",
                    "identifiers": [
                        ["dms_customer_id", "dms_customer_id", "dealer_code"],
                        ["id_card", "id_card"],
                        ["mobile", "mobile"],
                    ],
                },
                {
                    "source": "dms",
                    "entity": "service_orders",
                    "first": "arrived_at",
                    "last": "left_at",
                    "name": "sender_name",
                    "identifiers": [["mobile", "sender_mobile"]],
                },
                {
                    "source": "dms",
                    "entity": "addon_sales",
                    "first": "paid_at",
                    "last": "updated_at",
                    "name": none,
                    "identifiers": [["mobile", "mobile"]],
                },
                {
                    "source": "partner",
                    "entity": "members",
                    "first": "registered_at",
                    "last": "updated_at",
                    "name": "name",
                    "identifiers": [
                        ["member_code", "member_code"],
                        ["mobile", "mobile"],
                        ["unionid", "unionid"],
                    ],
                },
                {
                    "source": "partner",
                    "entity": "referrals",
                    "first": "referred_at",
                    "last": "updated_at",
                    "name": "name",
                    "identifiers": [["mobile", "mobile"], ["unionid", "unionid"]],
                },
            ]
        )
    }}
{% endmacro %}
