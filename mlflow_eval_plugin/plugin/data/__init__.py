"""The data of a call: frames of any library, the values of their columns, and tables of labelled rows."""
