"""The memory of Tajo, and the only code that speaks SQL.

`tables` say what is remembered, `store` opens it, `secret` hides whom it is about; `known` (what the
destination was told), `people` (who is who, what they bought and wished), `queue` (what to look at
again, what is parked) and `runs` (how far each sweep has come) are read and written within one
transaction each, by the connector alone.
"""
