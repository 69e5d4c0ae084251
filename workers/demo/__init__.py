"""The demo: invented notes and the small models made from them. Nothing here comes from a patient."""
