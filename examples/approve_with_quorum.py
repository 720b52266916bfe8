"""A model for late payments needs one yes of risk and one of product, on Evidence that the build server has signed.

Run it: ``python examples/approve_with_quorum.py``. It starts a real server in ``demo/approve_with_quorum``.
"""

from __future__ import annotations

from small_release import MODEL, story, train

POLICY = f"""\
schema: registry-hooks/policy/1
name: payments
models: [{MODEL}]
roles:
  data-science: [ana]
  risk: [raj]
  product: [raj, pam]
nominate: {{by: [data-science]}}
promote:
  by: [data-science]
  evidence: [{{kind: calibration, max_age: 7d, signed_by: [build]}}]
  approvals: [{{role: risk, expires: 3d}}, {{role: product, expires: 3d}}]
rollback: {{by: [risk]}}
delegation: {{longest: 14d}}
"""


def main() -> None:
    """Tell the story."""
    with story("approve_with_quorum", POLICY, ("ana", "raj", "pam", "bob")) as told:
        told.step("The build server's key is trusted under the name that the policy asks for")
        told.run("admin", "key", "new", "build.key")
        told.run("admin", "key", "trust", "build", "build.key.pub")

        told.step("Evidence that nobody signed opens no gate; the build server signs it")
        version, run_id = train(told, seed=1)
        number = str(version)
        told.run("ana", "nominate", MODEL, number, expect=1)
        told.run(
            "ana", "evidence", "sign", "--run", run_id, "--model", f"models:/{MODEL}/{number}", "--key", "build.key"
        )
        told.run("ana", "nominate", MODEL, number)
        told.run("ana", "request", MODEL, number, "--comment", "well calibrated on the second half of the year")

        told.step("Four eyes, and each person fills one seat: raj holds both roles and is one person")
        told.run("ana", "approve", MODEL, number, "--comment", "I am sure", expect=1)
        told.run("raj", "approve", MODEL, number, "--comment", "read the reliability diagram")
        told.run("ana", "plan", MODEL, number, expect=1)

        told.step("pam goes on leave and lends bob her seat; bob signs in her place")
        told.run("bob", "approve", MODEL, number, "--comment", "looks right to me", expect=1)
        told.run("pam", "delegate", "give", "payments", "product", "--to", "bob", "--for", "7d", "--reason", "on leave")
        told.run("bob", "approve", MODEL, number, "--comment", "agreed with pam", "--meaning", "fit for our customers")
        told.run("ana", "promote", MODEL, number)

        told.step("A year later the auditor asks who decided, and on what")
        told.run("raj", "history", MODEL)
        told.run("raj", "lineage", MODEL, number)
        told.run("raj", "audit", "verify")


if __name__ == "__main__":
    main()
