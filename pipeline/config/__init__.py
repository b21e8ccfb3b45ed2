"""params.yaml in; checked values, a schema and sentences about mistakes out.

It knows the stages and no tracking. The rooms above import it. pydantic; no TensorFlow.
"""
